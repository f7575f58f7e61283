/** Runs an arm of the experiment for a seed: round 0, which all arms of the seed share, and the rounds after it. */
import { cp, mkdir, rm } from 'node:fs/promises';
import { cpus } from 'node:os';
import { basename, isAbsolute, join, relative } from 'node:path';
import { mapPaths } from '../../src/config/config-paths.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { projectFile } from '../../src/core/files.ts';
import { hashValue } from '../../src/core/hash.ts';
import { readManifest, runStepOnce } from '../../src/core/manifest.ts';
import { openRunDirectory, roundDirectory } from '../../src/core/run-directory.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { readScores } from '../../src/evaluation/evaluation-files.ts';
import { sumForgotten } from '../../src/evaluation/forgetting.ts';
import { engineDataFile } from '../../src/round/append/generated-data.ts';
import { readForgotten } from '../../src/round/compare/results.ts';
import { freezeConfig } from '../../src/round/frozen-config.ts';
import { loadStep } from '../../src/round/load-step.ts';
import { selects } from '../../src/round/select/results.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { directoryOf, stepDirectory } from '../../src/round/step-directory.ts';
import type { StepName } from '../../src/round/steps.ts';
import { extensions } from '../../workers/extensions.ts';
import type { Line } from './lines.ts';
import { type Arm, arms, type Cell, shareOf } from './plan.ts';

export interface Setting {
  /** The config that arms change: the demo's. */
  config: string;
  /** Of each round's finetune; the demo takes fewer, to end in minutes. */
  steps: number;
  /** Folder of data and runs. */
  work: string;
}

/** As many images for each request as the arm with the most candidates asks about, in every arm. */
const poolFactor = 3;

/** The config of a run; round 0 is the same for all arms of a seed. */
export async function configOf(
  { world, seed, arm, on, share }: Cell,
  { config: file, steps, work }: Setting,
): Promise<Config> {
  const config = await loadConfig(file, { seed });
  const { scenes } = config.data;
  if (scenes === undefined)
    throw new Error(`${file} has no data.scenes: the experiment renders a dataset for each seed`);
  const { trainImages, baseShare } = scenes;
  return {
    ...config,
    run: `${world}-${seed}-${arm}-${share}`,
    runsDirectory: join(work, 'runs'),
    data: {
      ...config.data,
      root: join(work, `scenes-${world}-${seed}`),
      scenes: {
        ...scenes,
        seed,
        // The base questions are about as many images as before.
        ...{ trainImages: poolFactor * trainImages, baseShare: baseShare / poolFactor },
        ...(world === 'mild' && { baseTypes: 'mild' }),
      },
    },
    // Rounds are compared at equal numbers of steps and requests: none is skipped.
    gate: { ...config.gate, policy: 'always' },
    finetune: {
      ...config.finetune,
      ...{ epochs: 1, stepsPerEpoch: steps },
      ...(arm === 'sftDpo' && { objective: 'sft+dpo' }),
    },
    evaluate: { ...config.evaluate, benchmarks: [...config.evaluate.benchmarks, blindQuestions(config)] },
    sampling: {
      ...config.sampling,
      ...arms[on ?? arm],
      requests: Math.round(config.sampling.requests * shareOf[share]),
    },
  };
}

/** The test questions without their images: what the model knows of answers alone. */
function blindQuestions({ data: { test, images } }: Config): Config['evaluate']['benchmarks'][number] {
  if (test === undefined) throw new Error('the experiment needs test questions');
  return {
    ...{ benchmark: 'aokvqa', name: blindName, file: test.file, images: images.test ?? images.validation },
    ...{ blind: true, prompt: 'training' },
  };
}

const blindName = 'blind';

/** What all seeds of an arm have in common, wherever this project is. */
export function hashOfArm(given: Config): string {
  const project = projectFile('.');
  const config = mapPaths(configSchema, given, ({ path }) => (isAbsolute(path) ? relative(project, path) : path));
  const { run: _, runsDirectory: __, cacheDirectory: ___, seed: ____, ...rest } = config;
  const { root: _____, scenes, ...data } = rest.data;
  return hashValue({ ...rest, data: { ...data, scenes: { ...scenes, seed: undefined } } });
}

/** Runs all rounds of an arm, or continues them. Every finished step of an interrupted attempt is kept. */
export async function runCell(cell: Cell, setting: Setting, tag: string): Promise<Line> {
  const config = await configOf(cell, setting);
  const place = openRunDirectory(config.runsDirectory, config.run as string);
  await takeShared(cell, setting, place);
  const { directory: run, config: frozen } = await freezeConfig(config, config.run as string);
  const contextOf = (round: number): StepContext => ({
    config: frozen,
    run,
    round,
    onProgress: () => undefined,
    signal: new AbortController().signal,
    extensions,
  });
  await runStep('prepare-data', contextOf(0));
  for (let round = 0; round <= config.rounds; round += 1) {
    const context = contextOf(round);
    if (round > 0 && cell.arm === 'noNewData') await appendNothing(context);
    else if (round > 0) for (const step of dataSteps(frozen)) await runStep(step, context);
    for (const step of ['finetune', 'merge', 'evaluate', 'classify', 'compare'] as const) await runStep(step, context);
  }
  return {
    tag,
    ...cell,
    configHash: hashOfArm(config),
    processor: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} cores`,
    round0: (await testScores(run, 0)).score,
    ...(await testScores(run, config.rounds)),
    blind: (await testScores(run, config.rounds, blindName)).score,
    forgotten: await forgottenShare(run, config.rounds),
    ...(await dataFigures(run, config.rounds)),
    finishedAt: new Date().toISOString(),
  };
}

async function runStep(name: StepName, context: StepContext): Promise<void> {
  await (await loadStep(name)).run(context);
}

function dataSteps(config: Config): StepName[] {
  const chooses: StepName[] = selects(config) ? ['select'] : [];
  return ['embed', 'sample', 'generate', 'refine', ...chooses, 'append'];
}

/** Round 0, and the embeddings of the pool, of the arms of the seed that came first. */
async function takeShared({ world, seed }: Cell, { work }: Setting, place: StepContext['run']): Promise<void> {
  const runOf = (arm: Arm) => openRunDirectory(join(work, 'runs'), `${world}-${seed}-${arm}-whole`);
  await mkdir(place.root, { recursive: true });
  for (const [from, step, folder] of [
    [runOf('noNewData'), 'classify', basename(roundDirectory(place, 0))],
    [runOf('uniform'), 'embed', basename(directoryOf(place, 0, 'embed') as string)],
  ] as const) {
    const isDone = async (run: StepContext['run']) =>
      (await readManifest(directoryOf(run, 0, step) as string)) !== undefined;
    if (from.root === place.root || (await isDone(place)) || !(await isDone(from))) continue;
    await rm(join(place.root, folder), { recursive: true, force: true });
    await cp(join(from.root, folder), join(place.root, folder), { recursive: true });
  }
}

/** The files of an `append` without samples. */
async function appendNothing({ run, round }: StepContext): Promise<void> {
  const published = join(roundDirectory(run, round), engineDataFile(round));
  const work = async () => {
    await writeJson(published, []);
    return { outputs: [published], metrics: {} };
  };
  await runStepOnce({ directory: stepDirectory(run, round, 'append'), step: 'append', inputs: {}, work });
}

/** In percent, of all question types together. */
async function forgottenShare(run: StepContext['run'], round: number): Promise<number> {
  const { right, lost } = sumForgotten(await readForgotten(stepDirectory(run, round, 'compare')));
  return right === 0 ? 0 : (100 * lost) / right;
}

/** Of a round's model, on the test questions. */
async function testScores(
  run: StepContext['run'],
  round: number,
  set = 'test',
): Promise<Pick<Line, 'score' | 'errorByType'>> {
  const { measures } = await readScores(join(stepDirectory(run, round, 'evaluate'), set));
  const { multipleChoice } = measures;
  if (multipleChoice === undefined) throw new Error(`round ${round} has no multiple choice on the test questions`);
  const types = Object.entries(multipleChoice.groups['question type'] ?? {});
  return {
    score: 100 * multipleChoice.value,
    errorByType: Object.fromEntries(types.map(([type, { value }]) => [type, 1 - value])),
  };
}

async function dataFigures(
  run: StepContext['run'],
  rounds: number,
): Promise<Pick<Line, 'teacherTokens' | 'samples' | 'seconds'>> {
  const figures = { teacherTokens: { prompt: 0, completion: 0 }, samples: 0, seconds: 0 };
  for (let round = 1; round <= rounds; round += 1) {
    const of = async (step: StepName) => readManifest(directoryOf(run, round, step) as string);
    const generated = await of('generate');
    figures.teacherTokens.prompt += generated?.metrics.promptTokens ?? 0;
    figures.teacherTokens.completion += generated?.metrics.completionTokens ?? 0;
    figures.samples += (await of('append'))?.metrics.samples ?? 0;
    for (const step of ['sample', 'generate', 'refine', 'select', 'append', 'finetune', 'merge', 'evaluate'] as const) {
      const manifest = await of(step);
      if (manifest === undefined) continue;
      figures.seconds += (Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt)) / 1000;
    }
  }
  return figures;
}
