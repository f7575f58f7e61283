/**
 * `npm run bundle [file]`: the workflows bundled ahead of time, for `dataengine worker cpu --workflow-bundle`.
 */
import { resolve } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { writeFileAtomically } from '../src/core/write-file.ts';
import { openTraces } from '../workers/telemetry.ts';
import { workflowsPath } from '../workers/worker-flags.ts';

const file = resolve(process.argv[2] ?? '.cache/workflow-bundle.js');
// With traces on, the bundle holds their interceptors too: make it in the environment that the worker runs in.
const traces = openTraces('dataengine-bundle');
const { code } = await bundleWorkflowCode({ workflowsPath, plugins: traces && [traces.plugin] });
await writeFileAtomically(file, code);
process.stdout.write(`${file}\n`);
