import { InvalidArgumentError } from 'commander';
import type { DataEngineInput } from '../workflows/messages.ts';

/** The options that every command on a config shares. */
export interface ConfigOptions {
  config: string;
  dataRoot?: string;
  run?: string;
  seed?: number;
}

/** For commander: an integer of at least `minimum`. */
export function integer(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < minimum)
      throw new InvalidArgumentError(`Give a whole number of at least ${minimum}.`);
    return value;
  };
}

/** The workflow's input that these options mean. */
export function toWorkflowInput({ config, dataRoot, run, seed }: ConfigOptions, rounds?: number): DataEngineInput {
  return { config, dataRoot, run, seed, rounds };
}
