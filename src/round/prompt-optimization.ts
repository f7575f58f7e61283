/**
 * Interactive Prompt Optimization (MLLM-DataEngine, section 3): the work between two reviews by a person. All files are in
 * the folder of the optimization, `<runs>/<name>`:
 *
 * - `prompts/iteration-<k>.md`, and from the second on its `.diff` and the teacher's `.diagnosis.md`
 * - `samples/iteration-<k>.jsonl`, `verdicts/iteration-<k>.json`
 */
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/schema.ts';
import { type Access, requireConfigAccess } from '../core/access.ts';
import { InputError } from '../core/input-error.ts';
import { joinInside } from '../core/inside.ts';
import { readJsonLines, readTextFile } from '../core/read-json.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import { writeFileAtomically, writeJson } from '../core/write-file.ts';
import {
  makePromptSamples,
  type PromptSample,
  promptSampleSchema,
} from '../generation/prompt-optimization/prompt-samples.ts';
import { writePromptVersion } from '../generation/prompt-optimization/prompt-versions.ts';
import {
  diagnosePlaceholders,
  revisePlaceholders,
  revisePrompt,
  type SampleVerdict,
} from '../generation/prompt-optimization/revise-prompt.ts';
import { type QuestionType, readQuestionTypes } from '../generation/question-types.ts';
import { type BadCaseExample, sampleRequests } from '../generation/sample-requests.ts';
import { readPromptTemplate } from '../teacher/prompt-template.ts';
import { readClassifiedBadCases } from './classify/results.ts';
import { poolImageUrl, showsImages, withPool } from './dataset-paths.ts';
import { questionTypesFile } from './discover/type-lists.ts';
import { evaluatedImages } from './evaluation-set.ts';
import { manifestIn } from './finished-step.ts';
import { newRunReference, withOtherRun } from './open-run.ts';
import { describeOwner } from './owner/owner.ts';
import { openOwnerPlace } from './owner/owner-place.ts';
import {
  generationPlaceholders,
  generationPromptFile,
  promptFile,
  readGenerationPrompt,
  runPromptFolder,
  usePromptInRun,
} from './prompt-file.ts';
import type { StepContext } from './step-context.ts';
import { stepDirectory } from './step-directory.ts';
import { type AskTeacher, withTeacher } from './teacher.ts';

const promptOf = (name: string) => fileURLToPath(new URL(`../../configs/prompts/${name}`, import.meta.url));

export const iterationPrompt = (run: RunDirectory, iteration: number) =>
  join(run.root, 'prompts', `iteration-${iteration}.md`);
export const iterationSamples = (run: RunDirectory, iteration: number) =>
  join(run.root, 'samples', `iteration-${iteration}.jsonl`);
export const iterationDiff = (run: RunDirectory, iteration: number) =>
  join(run.root, 'prompts', `iteration-${iteration}.diff`);

/**
 * Runs have owners, and optimizations have none.
 *
 * @throws InputError when the folder that the optimization would have is a run's, which keeps its config, prompts and ledger
 */
export async function refuseFolderOfRun(config: Config, name: string, access: Access): Promise<void> {
  const place = await openOwnerPlace(newRunReference(config, name), { access });
  const owner = (await place?.read())?.owner;
  if (place === undefined || owner === undefined) return;
  throw new InputError({
    file: place.file,
    problem: `is in the folder of a run, whose owner is ${describeOwner(owner)}`,
    remedy: `Give the optimization an id that no run has: \`--workflow-id\`. The run that the prompt is for is named by \`--run\``,
  });
}

/** Copies the prompt to start from: the one that the run uses now, or the config's. */
export async function preparePrompt(context: StepContext, forRun: string | undefined): Promise<void> {
  const { config, run } = context;
  const newest = (from: RunDirectory) => promptFile(config, from, Number.MAX_SAFE_INTEGER);
  const file = forRun === undefined ? generationPromptFile(config) : await withOtherRun(context, forRun, newest);
  await readGenerationPrompt(config, file);
  await typesFor(context, forRun);
  await mkdir(dirname(iterationPrompt(run, 0)), { recursive: true });
  await copyFile(file, iterationPrompt(run, 0));
}

/** The question types of the run that the prompt is for, or the config's. @throws InputError for discovered ones without a run */
async function typesFor(context: StepContext, forRun: string | undefined): Promise<QuestionType[]> {
  const { config, run } = context;
  const newest = (of: RunDirectory) => questionTypesFile(config, of, Number.MAX_SAFE_INTEGER).then(readQuestionTypes);
  if (config.questionTypes.source !== 'discover') return newest(run);
  if (forRun !== undefined) return withOtherRun(context, forRun, newest);
  throw new InputError({
    file: join(run.root, 'config.json'),
    field: 'questionTypes.source',
    problem: 'is discover, and only a run has such types',
    remedy: 'Name a run that has discovered its types (`--run`), or set questionTypes.source: file',
  });
}

/**
 * Makes the sample generations of an iteration: about the images of the first iteration, and from the second on about as
 * many new images too.
 *
 * @param input.count images, in the first iteration
 * @param input.forRun a run whose newest bad cases are the in-context examples
 */
export async function makeIterationSamples(
  context: StepContext,
  input: { iteration: number; count: number; forRun?: string | undefined },
): Promise<PromptSample[]> {
  const { config, run, onProgress } = context;
  const { iteration, count, forRun } = input;
  const template = await readGenerationPrompt(config, iterationPrompt(run, iteration));
  const questionTypes = await typesFor(context, forRun);
  const badCases = await newestBadCases(context, forRun);
  const pool = await withPool(config, (images) => images.list());
  const { requests } = sampleRequests({
    ...config.sampling,
    strategy: 'uniform',
    requests: count * (iteration + 1),
    badCases,
    weights: Object.fromEntries(questionTypes.map(({ name }) => [name, 1])),
    images: pool,
    usedImageIds: await evaluatedImages(context, pool),
    nearest: () => [],
    promptVersion: template.version,
    seed: `${config.seed}/prompt-optimization`,
  });
  const same = requests.slice(0, count);
  const fresh = iteration === 0 ? [] : requests.slice(count * iteration);
  const toAsk = [...same, ...fresh];
  const images = await withPool(config, (coco) => coco.read(toAsk.map(({ image_id }) => image_id)));
  const make = (ask: AskTeacher) => {
    onProgress({ step: 0, steps: toAsk.length });
    return makePromptSamples({
      requests: toAsk,
      same: same.length,
      file: iterationSamples(run, iteration),
      images,
      questionTypes,
      template,
      imageUrl: showsImages(config) ? (image) => poolImageUrl(config, image.fileName) : undefined,
      ask: (messages, options) => ask(messages, { ...options, asForSamples: true }),
      concurrency: config.teacher.concurrency,
    });
  };
  return withTeacher(context, make, { planned: undefined });
}

/** Has the teacher revise an iteration's prompt into the next one's. @returns the change */
export async function reviseIteration(
  context: StepContext,
  input: { iteration: number; verdicts: readonly SampleVerdict[]; comment?: string | undefined },
): Promise<{ diff: string }> {
  const { config, run } = context;
  const { iteration, verdicts, comment } = input;
  await writeJson(join(run.root, 'verdicts', `iteration-${iteration}.json`), { verdicts, comment });
  const templates = {
    diagnose: await readPromptTemplate(promptOf('diagnose-v1.md'), diagnosePlaceholders),
    revise: await readPromptTemplate(promptOf('revise-v1.md'), revisePlaceholders),
  };
  const prompt = await readTextFile(iterationPrompt(run, iteration));
  const samples = await readJsonLines(iterationSamples(run, iteration), promptSampleSchema);
  const revise = (ask: AskTeacher) =>
    revisePrompt({
      prompt,
      samples,
      verdicts,
      comment,
      templates,
      placeholders: generationPlaceholders(config),
      ask: (messages, { temperature, maximumTokens }) => ask(messages, { temperature, maximumTokens }),
    });
  const { text, diagnosis, diff } = await withTeacher(context, revise, { planned: undefined });
  await writeFileAtomically(iterationDiff(run, iteration + 1), diff);
  await writeFileAtomically(join(run.root, 'prompts', `iteration-${iteration + 1}.diagnosis.md`), `${diagnosis}\n`);
  // Written last: this file starts the next iteration.
  await writeFileAtomically(iterationPrompt(run, iteration + 1), text);
  return { diff };
}

/** Below the working folder. */
const ownPrompts = 'configs/prompts';

/**
 * Makes an iteration's prompt a version: next to the config's prompt (in `configs/prompts` where it names none, as the
 * program's own folder is not written to), or in the given run, whose next round uses it.
 *
 * @returns `fromRound` only for a run
 */
export async function acceptIteration(
  context: StepContext,
  input: { iteration: number; forRun?: string | undefined },
): Promise<{ version: string; file: string; fromRound?: number }> {
  const { config, run } = context;
  const { iteration, forRun } = input;
  const text = await readFile(iterationPrompt(run, iteration), 'utf8');
  const { version } = await readGenerationPrompt(config, iterationPrompt(run, 0));
  if (forRun === undefined) {
    const folder = config.teacher.prompt === undefined ? ownPrompts : dirname(config.teacher.prompt);
    await requireConfigAccess(context.access, joinInside(folder, `${version}.md`));
    await mkdir(folder, { recursive: true });
    return writePromptVersion({ folder, version, text });
  }
  return withOtherRun(context, forRun, async (target) => {
    const written = await writePromptVersion({ folder: runPromptFolder(target), version, text });
    const fromRound = await usePromptInRun(target, { version: written.version, file: `${written.version}.md` });
    return { ...written, fromRound };
  });
}

async function newestBadCases(
  context: StepContext,
  forRun: string | undefined,
): Promise<Record<string, BadCaseExample[]>> {
  if (forRun === undefined) return {};
  return withOtherRun(context, forRun, async (run) => {
    let newest: string | undefined;
    for (let round = 0; ; round += 1) {
      const directory = stepDirectory(run, round, 'classify');
      if (!(await manifestIn(run, directory))) break;
      newest = directory;
    }
    if (newest === undefined) return {};
    // The prompt under review is the one for questions with choices.
    const withChoices = Object.entries(await readClassifiedBadCases(newest)).map(([type, cases]) => [
      type,
      cases.filter(({ choices }) => choices.length > 0),
    ]);
    return Object.fromEntries(withChoices);
  });
}
