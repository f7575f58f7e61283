import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appendVersion } from '../datasets/versions.ts';
import { runStepOnce } from '../store/manifest.ts';
import { stepDirectory } from '../store/run-directory.ts';
import type { AppendOutcome } from './outcomes.ts';
import type { StepContext } from './step-context.ts';
export {};
