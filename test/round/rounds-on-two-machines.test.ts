/**
 * A run by hand, each step on the other machine than the one before: they share no disk, only a store on S3. What
 * comes of it is what one machine makes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bucket, s3Server } from '../../bench/support/s3-server.ts';
import { createProgram } from '../../cli/program.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { hashFile } from '../../src/core/hash.ts';
import { runUri } from '../../src/core/remote/store-uri.ts';
import { openStore } from '../../src/core/remote/stored-run.ts';
import { versionHistory } from '../../src/datasets/versions.ts';
import { append } from '../../src/round/append/append.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { withNewRun } from '../../src/round/open-run.ts';
import { ownWholeStep } from '../../src/round/own-folders.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { report } from '../../src/round/report/report.ts';
import { sample } from '../../src/round/sample/sample.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import type { StepName } from '../../src/round/steps.ts';
import { verify } from '../../src/round/verify/verify.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { extensions } from '../../workers/extensions.ts';
import { useS3Server } from '../helpers/s3-server.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from './tiny-run.ts';

useS3Server();

const rounds = [0, 1];
const store = `s3://${bucket}/two-machines`;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'two-machines-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Step = { name: StepName; round: number; work: (context: StepContext) => Promise<unknown> };

function* stepsOfRounds(): Generator<Step> {
  for (const round of rounds) {
    if (round === 1) yield { name: 'embed', round, work: embed };
    if (round > 0) {
      yield { name: 'sample', round, work: sample };
      yield { name: 'generate', round, work: generate };
      yield { name: 'verify', round, work: verify };
      yield { name: 'refine', round, work: refine };
      yield { name: 'append', round, work: append };
    }
    yield { name: 'finetune', round, work: finetune };
    yield { name: 'merge', round, work: merge };
    yield { name: 'evaluate', round, work: evaluate };
    yield { name: 'classify', round, work: classify };
    yield { name: 'gate', round, work: (context) => gate(context) };
    yield { name: 'report', round, work: report };
  }
}

/** A folder with data, model and config of its own. */
async function machine(name: string, changes: object) {
  const own = join(folder, name);
  const file = await writeTinyRun(own, (config) => ({
    ...config,
    finetune: { ...config.finetune, startFrom: 'previous' },
    data: { ...config.data, test: undefined },
    evaluate: { shards: 2 },
    verify: { ...config.verify, blindAnswers: 1 },
    ...changes,
  }));
  const config = await loadConfig(file);
  return {
    root: join(own, 'runs', 'rounds'),
    file,
    do: ({ name: step, round, work }: Step) => {
      const signal = new AbortController().signal;
      const onProgress = () => undefined;
      const trainer = typescriptTrainer(pretendTrainerEntry);
      return withNewRun(config, 'rounds', { signal, onProgress, extensions, owns: ownWholeStep(round, step) }, (open) =>
        work({ ...open, round, onProgress, trainer }),
      );
    },
  };
}

const prepare: Step = { name: 'prepare-data', round: 0, work: prepareData };

async function resultsIn(root: string) {
  const files = rounds.flatMap((round) => [
    `round-${round}/evaluate/aokvqa_eval.json`,
    `round-${round}/classify/weight.json`,
    `round-${round}/finetune/loss.jsonl`,
    `round-${round}/finetune/adapter_model.safetensors`,
    ...(round === 0
      ? []
      : [`round-${round}/sample/requests.jsonl`, `round-${round}/DataEngine_round${round}_data.json`]),
  ]);
  const contents = await Promise.all(files.map(async (file) => [file, await hashFile(join(root, file))]));
  const versions = (await versionHistory(root)).map(({ version, setAside }) => [version.id, setAside]);
  return { contents: Object.fromEntries(contents), versions };
}

describe.skipIf(s3Server === undefined)('a run on two machines', () => {
  test('gives the data, adapters, scores and decisions that one machine gives', async () => {
    const alone = await machine('alone', {});
    await alone.do(prepare);
    for (const step of stepsOfRounds()) await alone.do(step);

    const machines = [await machine('a', { store }), await machine('b', { store })] as const;
    const [a, b] = machines;
    await a.do(prepare);
    await b.do(prepare);
    let turn = 0;
    for (const step of stepsOfRounds()) {
      turn += 1;
      await (machines[turn % 2] as typeof a).do(step);
    }

    const pulled = await temporaryFolder();
    const program = createProgram(new AbortController().signal);
    const uri = runUri(store, 'rounds');
    const options = ['--to', join(pulled, 'runs'), '--cache', join(pulled, 'cache'), '--weights'];
    await program.parseAsync(['node', 'dataengine', 'pull', uri, ...options]);
    expect(await resultsIn(join(pulled, 'runs', 'rounds'))).toEqual(await resultsIn(alone.root));
    const page = (await openStore(store).read('runs/rounds/report.html'))?.body.toString();
    expect(page).toContain('</html>');
  });

  test('is done once: a third machine finds all results, and requests nothing again', async () => {
    const third = await machine('third', { store });
    await third.do(prepare);
    for (const step of stepsOfRounds()) {
      if (step.name === 'report') continue;
      expect([step.name, step.round, await third.do(step)]).toMatchObject([step.name, step.round, { reused: true }]);
    }
  });
});
