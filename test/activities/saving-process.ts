/** A process of `saving-steps.test.ts`: a step that has written a file, and waits. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepReference } from '../../activities/references.ts';
import { type StepFacts, workOnRun } from '../../activities/run-step.ts';
import { serveSteps } from '../../activities/step-process.ts';
import { ownFolders } from '../../src/round/own-folders.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import { extensions } from '../../workers/extensions.ts';

serveSteps((_, facts, task) => {
  const { input, ...dependencies } = facts as StepFacts;
  const { content, ...reference } = input as StepReference & { content: Buffer };
  return workOnRun(
    { ...task, ...dependencies, extensions },
    reference,
    async ({ run, round, signal }) => {
      const directory = stepDirectory(run, round, 'verify');
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, 'answers.jsonl'), content);
      task.onProgress({ step: 1, steps: 2 });
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      signal?.throwIfAborted();
    },
    ownFolders(reference.round, 'verify'),
  );
});
