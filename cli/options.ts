/**
 * The options that commands share: which config, which run of it, and what replaces values of the config.
 */
import { basename, extname, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../src/config/load-config.ts';
import type { Config } from '../src/config/schema.ts';
import { fileExists } from '../src/core/files.ts';
import { InputError } from '../src/core/input-error.ts';
import type { DataEngineInput } from '../workflows/inputs.ts';

/** Which run a command is about, and where its data is. */
export interface RunOptions {
  run?: string;
  dataRoot?: string;
}

export interface ConfigOptions extends RunOptions {
  config: string;
  seed?: number;
}

/** What the help says where it differs from most commands. */
interface OptionTexts {
  /** Of `--config`. */
  config?: string;
  /** Of `--run`. */
  run?: string;
  /** Whether `--config` must be given. */
  required?: boolean;
  /** Of `--config`. */
  byDefault?: string;
}

/** The config that `dataengine init` writes, in the current folder. */
export const ownConfig = 'dataengine.yaml';

/** Adds `--config`, `--run`, `--data-root` and `--seed`. */
export function addConfigOptions(
  command: Command,
  { config = 'YAML config', run, required = true, byDefault }: OptionTexts = {},
) {
  if (byDefault !== undefined) command.option('--config <file>', config, byDefault);
  else if (required) command.requiredOption('--config <file>', config);
  else command.option('--config <file>', config);
  return addRunOptions(command, run).option('--seed <number>', "instead of the config's seed", integer(0));
}

/** Adds `--run` and `--data-root`: for commands whose config is an argument. */
export function addRunOptions(command: Command, run = "run (default: the config's, or its file name)"): Command {
  return addDataRootOption(command.option('--run <name>', run));
}

/** Adds `--data-root`, which starts in the current folder: a worker has another one. */
export function addDataRootOption(command: Command): Command {
  return command.option('--data-root <folder>', "instead of the config's data.root", (folder: string) =>
    resolve(folder),
  );
}

/**
 * Reads a config with the values of the command line in it.
 *
 * @returns the config and the name of its run: that of the command line, the config's, or the file's
 * @throws InputError when the file or a value in it is wrong
 */
export async function loadNamedConfig(
  file: string,
  { dataRoot, run, seed }: Omit<ConfigOptions, 'config'>,
): Promise<{ config: Config; runName: string }> {
  await requireOwnConfig(file);
  const config = await loadConfig(file, { dataRoot, run, seed });
  return { config, runName: config.run ?? basename(file, extname(file)) };
}

/** @throws InputError that says how to get the config that commands take when none is named */
export async function requireOwnConfig(file: string): Promise<void> {
  if (file !== ownConfig || (await fileExists(file))) return;
  throw new InputError({
    file,
    problem: 'no such file',
    remedy:
      'Write it with `dataengine init FOLDER`, for a folder of images and questions; or name a config with --config',
  });
}

/** The workflow's input that these options mean. */
export function toWorkflowInput({ config, dataRoot, run, seed }: ConfigOptions, rounds?: number): DataEngineInput {
  return { config, dataRoot, run, seed, rounds };
}

/**
 * The error of an option that only some uses of a command need.
 *
 * @param alternative what else may be given, or what it goes with
 */
export function missingOption(option: string, alternative: string): InputError {
  return new InputError({
    file: 'command line',
    field: option,
    problem: 'is missing',
    remedy: `Give it, ${alternative}`,
  });
}

/** An option as it is typed, by the name under which commander keeps it. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The error of an option whose value does not fit. */
export function wrongOption(option: string, problem: string, remedy: string): InputError {
  return new InputError({ file: 'command line', field: option, problem, remedy });
}

/** For commander: an integer of at least `minimum`, and of at most `maximum`. */
export function integer(minimum: number, maximum = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    // Digits alone: an empty text, which an unset variable leaves, would be 0, and 0x10 sixteen.
    if (/^[+-]?\d+$/.test(text.trim()) && Number.isSafeInteger(value) && value >= minimum && value <= maximum)
      return value;
    const most = Number.isFinite(maximum) ? ` and at most ${maximum}` : '';
    throw new InvalidArgumentError(`Give a whole number of at least ${minimum}${most}.`);
  };
}

/** For commander: a number within 0 and 1. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('Give a number within 0 and 1.');
  return value;
}
