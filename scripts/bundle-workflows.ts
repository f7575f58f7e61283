/**
 * `npm run bundle [file]`: the workflows bundled ahead of time, for `dataengine worker cpu --workflow-bundle`. Beside that file
 * is the bundle for workers with a payload key, which holds their converters, and the SHA-256 of each, in `FILE.sha256`.
 */
import { resolve } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { encryptedBundle, encryptingConverters, plainConverters } from '../workers/payload-codec.ts';
import { openTraces } from '../workers/telemetry.ts';
import { compileOwnSources, workflowsPath } from '../workers/worker-flags.ts';
import { defaultWorkflowBundle, writeWorkflowBundle } from '../workers/workflow-bundle.ts';

const file = resolve(process.argv[2] ?? defaultWorkflowBundle);
// With traces on, the bundles hold their interceptors too: make them in the environment that the worker runs in.
const traces = openTraces('dataengine-bundle');
const options = { workflowsPath, webpackConfigHook: compileOwnSources(), plugins: traces && [traces.plugin] };
for (const [path, converters] of [
  [file, plainConverters],
  [encryptedBundle(file), encryptingConverters],
] as const) {
  const { code } = await bundleWorkflowCode({ ...options, ...converters });
  await writeWorkflowBundle(path, code);
  process.stdout.write(`${path}\n`);
}
