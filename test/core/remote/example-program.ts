/** A program whose runs are in a store, for tests: the files that it knows, and a step. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runStepOnce } from '../../../src/core/manifest.ts';
import type { RunRules } from '../../../src/core/remote/run-files.ts';
import type { RunDirectory } from '../../../src/core/run-directory.ts';

export const never = new AbortController().signal;

/** Of a program with checkpoints, partial results and a file about its process. */
export const rules: RunRules = {
  stepFiles: () => ({
    isLocal: (path) => path === 'process.json',
    isForResuming: (path) => path.startsWith('checkpoints/') || path.endsWith('.part.jsonl'),
  }),
  isOfRun: (path) => !/^round-0\/.+\//.test(path) && path !== 'ledger/',
  isReadBySteps: () => true,
  syncedFolders: ['ledger'],
};

/** A step that leaves one small and one large file. */
export function step(run: RunDirectory, text: string, work: () => Promise<void> = async () => undefined) {
  const directory = join(run.root, 'round-0/merged');
  return runStepOnce({
    directory,
    step: 'merge',
    inputs: { text: text.split(':')[0] },
    work: async () => {
      await work();
      await writeFile(join(directory, 'config.json'), text);
      await writeFile(join(directory, 'model.safetensors'), text.repeat(200_000));
      return { outputs: ['config.json', 'model.safetensors'], metrics: {} };
    },
  });
}
