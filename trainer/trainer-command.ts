import { fileURLToPath } from 'node:url';

/** The program that runs a job: the job file's path is added as the last argument. */
export interface TrainerCommand {
  program: string;
  arguments: string[];
  environment?: Record<string, string>;
}

/** Our own trainer on native TensorFlow. */
export const defaultTrainerEntry = fileURLToPath(new URL('../workers/trainer.ts', import.meta.url));

/** A trainer written in TypeScript, run by this Node with no build step. */
export function typescriptTrainer(entry: string = defaultTrainerEntry): TrainerCommand {
  // Resolved here because Node would look for a bare `tsx` from the current directory.
  return { program: process.execPath, arguments: ['--import', import.meta.resolve('tsx'), entry] };
}
