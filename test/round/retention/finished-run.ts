/** A run of three rounds that has ended, by the pretend trainer. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../../src/config/schema.ts';
import { append } from '../../../src/round/append/append.ts';
import { classify } from '../../../src/round/classify/classify.ts';
import { embed } from '../../../src/round/embed/embed.ts';
import { evaluate } from '../../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { readFrozenConfig } from '../../../src/round/frozen-config.ts';
import { gate } from '../../../src/round/gate/gate.ts';
import { generate } from '../../../src/round/generate/generate.ts';
import { merge } from '../../../src/round/merge/merge.ts';
import { prepareData } from '../../../src/round/prepare-data/prepare-data.ts';
import { refine } from '../../../src/round/refine/refine.ts';
import { sample } from '../../../src/round/sample/sample.ts';
import type { StepContext, StepOutcome } from '../../../src/round/step-context.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

/** Does the steps of a round in order. */
export async function playRound(context: StepContext, round: number): Promise<StepOutcome[]> {
  const outcomes: StepOutcome[] = [];
  const making = round === 0 ? [] : [embed, sample, generate, refine, append];
  const measuring = [finetune, merge, evaluate, classify, (one: StepContext) => gate(one)];
  for (const step of [...making, ...measuring]) outcomes.push(await step({ ...context, round }));
  return outcomes;
}

/** Plays rounds 0 to `last` of the tiny run in a folder. */
export async function playRun(folder: string, last = 2): Promise<StepContext> {
  const context = await tinyContext(await writeTinyRun(folder));
  await prepareData(context);
  for (let round = 0; round <= last; round += 1) await playRound(context, round);
  return context;
}

/** A copy of a run beside it, as a test may change it. */
export async function copyOfRun(context: StepContext, name: string): Promise<StepContext> {
  const root = join(context.run.root, '..', '..', `runs-of-${name}`, 'tiny');
  await cp(context.run.root, root, { recursive: true });
  const config: Config = await readFrozenConfig(root);
  return { ...context, config, run: { root } };
}
