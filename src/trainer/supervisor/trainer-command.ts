import { fileURLToPath } from 'node:url';

/** The program that runs a job: the job file's path is added as the last argument. */
export interface TrainerCommand {
  program: string;
  arguments: string[];
  environment?: Record<string, string>;
}

/** Our own trainer on native TensorFlow. */
export const defaultTrainerEntry = fileURLToPath(new URL('../main.ts', import.meta.url));

const bundledRunner = fileURLToPath(new URL('run-bundled.mjs', import.meta.url));
/** What a trainer allocates itself is short-lived: a young generation of megabytes would only fill up with it. */
const NODE_OPTIONS = ['--enable-source-maps', '--max-semi-space-size=1'];
/** A trainer written in TypeScript, run by this Node with no build step. */
export function typescriptTrainer(entry: string = defaultTrainerEntry): TrainerCommand {
  return {
    program: process.execPath,
    arguments: [...NODE_OPTIONS, bundledRunner, entry],
    // By default glibc's allocator keeps heaps by thread, eight a processor. TensorFlow takes its tensors elsewhere.
    environment: { MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? '1' },
  };
}
