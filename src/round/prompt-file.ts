import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import { projectFile } from '../core/files.ts';
import { InputError } from '../core/input-error.ts';
import { innerPath, joinInside } from '../core/inside.ts';
import { readJson, readTextFile } from '../core/read-json.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import { writeJson } from '../core/write-file.ts';
import { type PromptTemplate, parsePromptTemplate } from '../teacher/prompt-template.ts';
import { poolSource } from './dataset-paths.ts';
import { manifestIn } from './finished-step.ts';
import { stepDirectory } from './step-directory.ts';

const acceptedSchema = z.array(z.object({ fromRound: z.int().positive(), version: z.string(), file: innerPath }));

/** The folder of the prompts that were accepted for a run after its start. */
export function runPromptFolder(run: RunDirectory): string {
  return join(run.root, 'prompts');
}

const acceptedFile = (run: RunDirectory) => join(runPromptFolder(run), 'accepted.json');

/** The prompt of a round's requests: the newest that was accepted for it, or else the config's. */
export async function promptFile(config: Config, run: RunDirectory, round: number): Promise<string> {
  const accepted = await readAccepted(run);
  const ofRound = accepted.findLast(({ fromRound }) => fromRound <= round);
  return ofRound === undefined
    ? generationPromptFile(config)
    : joinInside(runPromptFolder(run), ofRound.file, acceptedFile(run));
}

/** The config's prompt for new samples. */
export function generationPromptFile(config: Config): string {
  return config.teacher.prompt ?? ownPrompt(config, 'generate');
}

/** The prompt of this program that fits what the teacher knows of an image: facts, facts and the image, or the image alone. */
function ownPrompt(config: Config, name: string): string {
  const isTold = poolSource(config).tells.length > 0;
  const form = !isTold ? '-from-image' : config.teacher.attachImage ? '-with-image' : '';
  return projectFile(`configs/prompts/${name}${form}-v1.md`);
}

/** What a prompt for new samples has a place for, by what the teacher is told about images. */
export function generationPlaceholders(config: Config): string[] {
  return [...poolSource(config).tells, 'type_title', 'type_explanation', 'examples'];
}

/** Reads a prompt for new samples. @throws InputError when it is none, or not one for `data.descriptions` */
export function readGenerationPrompt(config: Config, file: string): Promise<PromptTemplate> {
  const fitting = { key: 'teacher.prompt', prompt: 'configs/prompts/generate-from-image-v1.md' };
  return readFittingPrompt(config, file, generationPlaceholders(config), fitting);
}

/** Reads the prompt for new samples with a short answer. @throws InputError as `readGenerationPrompt` does */
export function readShortAnswerPrompt(config: Config): Promise<PromptTemplate> {
  const fitting = { key: 'teacher.shortAnswerPrompt', prompt: 'configs/prompts/generate-short-from-image-v1.md' };
  const file = config.teacher.shortAnswerPrompt ?? ownPrompt(config, 'generate-short');
  return readFittingPrompt(config, file, generationPlaceholders(config), fitting);
}

/** Reads the prompt for blind answers. @throws InputError as `readGenerationPrompt` does */
export function readBlindPrompt(config: Config): Promise<PromptTemplate> {
  const placeholders = [...poolSource(config).tells, 'question', 'choices'];
  const fitting = { key: 'verify.blindPrompt', prompt: 'configs/prompts/verify-from-image-v1.md' };
  return readFittingPrompt(config, config.verify.blindPrompt ?? ownPrompt(config, 'verify'), placeholders, fitting);
}

/** Reads the prompt for blind answers to questions with a short answer. @throws InputError as `readGenerationPrompt` does */
export function readShortBlindPrompt(config: Config): Promise<PromptTemplate> {
  const placeholders = [...poolSource(config).tells, 'question'];
  const fitting = { key: 'verify.shortBlindPrompt', prompt: 'configs/prompts/verify-short-from-image-v1.md' };
  const file = config.verify.shortBlindPrompt ?? ownPrompt(config, 'verify-short');
  return readFittingPrompt(config, file, placeholders, fitting);
}

async function readFittingPrompt(
  config: Config,
  file: string,
  placeholders: readonly string[],
  fitting: { key: string; prompt: string },
): Promise<PromptTemplate> {
  const text = await readTextFile(file);
  const told = ['captions', 'boxes'].find((name) => text.includes(`{{${name}}}`) && !placeholders.includes(name));
  if (told === undefined) return parsePromptTemplate(text, file, placeholders);
  throw new InputError({
    file,
    problem: `has a place {{${told}}}, but data.descriptions.source: ${config.data.descriptions.source} tells none`,
    remedy: `Set ${fitting.key} to a prompt without it, such as ${fitting.prompt}`,
  });
}

/**
 * Makes a run use an accepted prompt, from the first round on whose requests are not drawn yet.
 *
 * @param prompt `file` is a name in the run's prompt folder
 * @returns that round
 */
export async function usePromptInRun(run: RunDirectory, prompt: { version: string; file: string }): Promise<number> {
  let fromRound = 1;
  while (await manifestIn(run, stepDirectory(run, fromRound, 'sample'))) fromRound += 1;
  const accepted = (await readAccepted(run)).filter((entry) => entry.version !== prompt.version);
  accepted.push({ fromRound, ...prompt });
  await writeJson(acceptedFile(run), accepted);
  return fromRound;
}

async function readAccepted(run: RunDirectory): Promise<z.output<typeof acceptedSchema>> {
  // Most runs have no such file.
  return readJson(acceptedFile(run), acceptedSchema).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}
