/**
 * Do two rounds of the loop help on charts? For each seed: round 0, then two rounds, and the same number of training steps
 * without new data (`continued`), with images, questions, mixture and requests of its own. The results of each seed are
 * appended to results.jsonl; seeds that are there are not run again.
 *
 * Usage: node --import tsx examples/charts/experiment.ts [SEED …]      (default: 1 2 3)
 */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { loadConfig } from '../../src/config/load-config.ts';
import { openJsonLines } from '../../src/core/append-json-lines.ts';
import { fileExists } from '../../src/core/files.ts';
import { runStepOnce } from '../../src/core/manifest.ts';
import { readJsonLines } from '../../src/core/read-json.ts';
import { type RunDirectory, roundDirectory } from '../../src/core/run-directory.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { readScores } from '../../src/evaluation/evaluation-files.ts';
import { confidenceInterval, mean } from '../../src/evaluation/statistics/student-t.ts';
import { engineDataFile } from '../../src/round/append/generated-data.ts';
import { freezeConfig } from '../../src/round/frozen-config.ts';
import { loadStep } from '../../src/round/load-step.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import type { StepName } from '../../src/round/steps.ts';
import { writeChartsData } from './data.ts';
import { startTeacher } from './teacher.ts';

const work = '.cache/charts';
const results = fileURLToPath(new URL('results.jsonl', import.meta.url));
const resultSchema = z.object({
  seed: z.int(),
  /** Percent of the test questions. */
  round0: z.number(),
  engine: z.number(),
  continued: z.number(),
  /** Of the engine's last round, without the charts. */
  blind: z.number(),
});
type Result = z.output<typeof resultSchema>;

type Arm = 'engine' | 'continued';

const withNewData: StepName[] = ['embed', 'sample', 'generate', 'refine', 'append'];
const trained: StepName[] = ['finetune', 'merge', 'evaluate', 'classify'];

/** An `append` without samples: training goes on with what there is. */
async function appendNothing({ run, round }: StepContext): Promise<void> {
  const published = join(roundDirectory(run, round), engineDataFile(round));
  const writeNone = async () => {
    await writeJson(published, []);
    return { outputs: [published], metrics: {} };
  };
  await runStepOnce({ directory: stepDirectory(run, round, 'append'), step: 'append', inputs: {}, work: writeNone });
}

/** Percent of a set's questions in a round. */
async function scoreOf(run: RunDirectory, round: number, set: string): Promise<number> {
  const { measures } = await readScores(join(stepDirectory(run, round, 'evaluate'), set));
  const [main] = Object.values(measures);
  return 100 * (main?.value ?? Number.NaN);
}

/** Runs all rounds of one arm; steps that an interrupted experiment finished are not done again. */
async function runRounds(seed: number, arm: Arm, teacher: string, round0?: RunDirectory): Promise<RunDirectory> {
  const loaded = await loadConfig(fileURLToPath(new URL('charts.yaml', import.meta.url)), { seed });
  const wanted = {
    ...loaded,
    data: { ...loaded.data, root: join(work, `data-${seed}`) },
    teacher: { ...loaded.teacher, baseUrl: teacher },
    // Rounds are compared at equal numbers of steps and requests: none is set aside.
    gate: { ...loaded.gate, policy: 'always' as const },
  };
  const { directory: run, config } = await freezeConfig(wanted, `seed-${seed}-${arm}`, {
    runsDirectory: join(work, 'runs'),
  });
  if (round0) await cp(roundDirectory(round0, 0), roundDirectory(run, 0), { recursive: true });
  const contextOf = (round: number): StepContext => ({
    config,
    run,
    round,
    onProgress: () => {},
    signal: new AbortController().signal,
    extensions: { dataSources: {}, teacherProviders: {} },
  });
  const runStep = async (step: StepName, round: number) => (await loadStep(step)).run(contextOf(round));
  await runStep('prepare-data', 0);
  for (let round = 0; round <= config.rounds; round += 1) {
    if (round > 0 && arm === 'continued') await appendNothing(contextOf(round));
    const steps = round > 0 && arm === 'engine' ? [...withNewData, ...trained] : trained;
    for (const step of steps) await runStep(step, round);
    console.error(`seed ${seed}, ${arm}, round ${round}: ${(await scoreOf(run, round, 'test')).toFixed(1)} %`);
  }
  return run;
}

async function runSeed(seed: number): Promise<Result> {
  const data = join(work, `data-${seed}`);
  if (!(await fileExists(join(data, 'facts.jsonl')))) await writeChartsData(seed, data);
  const teacher = await startTeacher();
  // This one takes any key.
  process.env.OPENAI_API_KEY ??= 'none';
  try {
    const engine = await runRounds(seed, 'engine', teacher.address);
    const continued = await runRounds(seed, 'continued', teacher.address, engine);
    return {
      seed,
      round0: await scoreOf(engine, 0, 'test'),
      engine: await scoreOf(engine, 2, 'test'),
      continued: await scoreOf(continued, 2, 'test'),
      blind: await scoreOf(engine, 2, 'test-blind'),
    };
  } finally {
    teacher.close();
  }
}

const seeds = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 2, 3];
const known = (await fileExists(results)) ? await readJsonLines(results, resultSchema) : [];
const lines = await openJsonLines(results);
for (const seed of seeds) {
  if (known.some((result) => result.seed === seed)) continue;
  const result = await runSeed(seed);
  known.push(result);
  await lines.append(result);
}
await lines.close();

const chosen = known.filter(({ seed }) => seeds.includes(seed));
const show = (name: string, values: readonly number[]) => {
  const [low, high] = confidenceInterval(values).map((value) => value.toFixed(1));
  console.log(`${name.padEnd(22)} ${mean(values).toFixed(1)}  [${low}, ${high}]`);
};
console.log(`Percent of the test questions: mean and 95 % interval over seeds ${seeds.join(', ')}`);
for (const name of ['round0', 'continued', 'engine', 'blind'] as const) {
  show(
    name,
    chosen.map((result) => result[name]),
  );
}
show(
  'engine - continued',
  chosen.map(({ engine, continued }) => engine - continued),
);
