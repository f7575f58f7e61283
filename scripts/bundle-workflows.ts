/**
 * `npm run bundle [file]`: the workflows bundled ahead of time, for `dataengine worker cpu --workflow-bundle`. Its SHA-256
 * is written beside it, in `FILE.sha256`.
 */
import { resolve } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { openTraces } from '../workers/telemetry.ts';
import { workflowsPath } from '../workers/worker-flags.ts';
import { defaultWorkflowBundle, writeWorkflowBundle } from '../workers/workflow-bundle.ts';

const file = resolve(process.argv[2] ?? defaultWorkflowBundle);
// With traces on, the bundle holds their interceptors too: make it in the environment that the worker runs in.
const traces = openTraces('dataengine-bundle');
const { code } = await bundleWorkflowCode({ workflowsPath, plugins: traces && [traces.plugin] });
await writeWorkflowBundle(file, code);
process.stdout.write(`${file}\n`);
