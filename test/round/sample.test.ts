/** How a round draws its requests by the strategies that need more than `weight.json`. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lossWeights } from '../../src/evaluation/loss-weights.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { readClassifiedBadCases } from '../../src/round/classify/results.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { answersFile, readAnswers } from '../../src/round/evaluate/results.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { readSampledRequests } from '../../src/round/sample/results.ts';
import { sample } from '../../src/round/sample/sample.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

/** Round 1, before its draw. */
async function beforeSample(change: object): Promise<StepContext> {
  const config = await writeTinyRun(await temporaryFolder(), (tiny) => ({
    ...tiny,
    sampling: { ...tiny.sampling, inContextExamples: 1, strategy: 'high-loss' },
    ...change,
  }));
  const context = await tinyContext(config);
  for (const step of [prepareData, finetune, merge, evaluate, classify, gate]) await step(context);
  const next = { ...context, round: 1 };
  await embed(next);
  return next;
}

const evaluated = ({ run }: StepContext) => stepDirectory(run, 0, 'evaluate');

test('high-loss draws types by the losses of their right choices, and keeps the weights', async () => {
  const context = await beforeSample({});
  expect(await sample(context)).toMatchObject({ requests: 6, reused: false });
  const directory = stepDirectory(context.run, 1, 'sample');
  const { types } = lossWeights(await readAnswers(evaluated(context)));
  expect(JSON.parse(await readFile(join(directory, 'loss_weights.json'), 'utf8'))).toEqual(types);
  const badCases = await readClassifiedBadCases(stepDirectory(context.run, 0, 'classify'));
  for (const { question_type, examples } of await readSampledRequests(directory)) {
    expect(types[question_type]).toBeGreaterThan(0);
    expect(badCases[question_type]?.map(({ idx }) => idx)).toContain(examples[0]?.idx);
  }
  expect(await sample(context)).toMatchObject({ reused: true });
});

test('high-loss refuses answers that were written, and leaves nothing behind', async () => {
  const context = await beforeSample({});
  const file = join(evaluated(context), answersFile);
  const records = JSON.parse(await readFile(file, 'utf8'));
  records[0].losses = [];
  delete records[0].model_choice_idx;
  await writeFile(file, JSON.stringify(records));
  await expect(sample(context)).rejects.toThrow(
    `sampling.strategy: high-loss goes by the losses of ranked choices, and 1 of ${records.length} validation questions of round 0 were answered in writing`,
  );
});
