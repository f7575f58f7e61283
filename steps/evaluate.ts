/**
 * Scores the merged model: the trainer computes the losses of a part of the questions, then the parts are joined
 * and the metrics computed.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { type AokvqaQuestion, readAokvqa } from '../datasets/aokvqa.ts';
import { scoreAokvqa } from '../evaluation/metrics.ts';
import { rankChoices } from '../evaluation/rank-choices.ts';
import type { EvaluatedQuestion } from '../evaluation/records.ts';
import { hashFile, hashValue } from '../store/hash.ts';
import { InputError } from '../store/input-error.ts';
import { readManifest, runStepOnce } from '../store/manifest.ts';
import { readJsonLines } from '../store/read-json.ts';
import { roundDirectory, stepDirectory } from '../store/run-directory.ts';
import { writeJson } from '../store/write-file.ts';
import { configuredSplits, type QuestionSet, questionSet, type Split } from './dataset-paths.ts';
import { finishedStep } from './finished-step.ts';
import { outcomeOf } from './outcome-of.ts';
import type { EvaluateOutcome, EvaluateShardOutcome } from './outcomes.ts';
import { questionTypesOf } from './question-types.ts';
import type { StepContext } from './step-context.ts';
import { runTrainerStep } from './trainer-step.ts';

const lossesFile = 'losses.jsonl';
const choiceLossesSchema = z.object({ question_id: z.string(), losses: z.array(z.number()) });

/** Scores all parts of all splits one after another, and joins them. */
export async function evaluate(context: StepContext): Promise<EvaluateOutcome> {
  for (const split of configuredSplits(context.config)) {
    for (let shard = 0; shard < context.config.evaluate.shards; shard += 1)
      await evaluateShard(context, { split, shard });
  }
  return joinEvaluation(context);
}

/** Scores one part of a split: `round-<k>/evaluate-parts/<split>-<i>-of-<n>/losses.jsonl`. */
export async function evaluateShard(
  context: StepContext,
  { split, shard }: { split: Split; shard: number },
): Promise<EvaluateShardOutcome> {
  const { config, run, round } = context;
  const set = requireQuestionSet(context, split);
  const merged = await finishedStep(run, round, 'merge');
  const count = config.evaluate.shards;
  const directory = shardDirectory(context, split, shard);
  const done = await runTrainerStep({
    context,
    directory,
    step: 'evaluate-shard',
    inputs: { model: merged.manifest.outputs, questions: await hashFile(set.file), limit: set.limit, shard, count },
    prepare: async () => ({
      kind: 'evaluate',
      model: merged.directory,
      questions: set.file,
      pictures: set.pictures,
      limit: set.limit,
      shard: { index: shard, count },
      batchSize: config.evaluate.batchSize,
      output: join(directory, lossesFile),
    }),
    finish: async ({ metrics }) => ({ outputs: [lossesFile], metrics }),
  });
  const losses = await readJsonLines(join(directory, lossesFile), choiceLossesSchema);
  return { ...outcomeOf(done), questions: losses.length };
}

/** Joins the parts into `evaluate/aokvqa_eval.json` (validation) and `evaluate/test/aokvqa_eval.json`, with metrics. */
export async function joinEvaluation(context: StepContext): Promise<EvaluateOutcome> {
  const { config, run, round } = context;
  const directory = stepDirectory(run, round, 'evaluate');
  const splits = configuredSplits(config);
  const parts: Record<string, unknown> = {};
  const sets = new Map<Split, TypedQuestions>();
  for (const split of splits) {
    sets.set(split, await readTypedQuestions(context, split));
    for (let shard = 0; shard < config.evaluate.shards; shard += 1) {
      parts[`${split}-${shard}`] = (await requireShard(context, split, shard)).outputs;
    }
  }
  const done = await runStepOnce({
    directory,
    step: 'evaluate',
    inputs: { parts, questions: splits.map((split) => sets.get(split)?.hash) },
    work: async () => {
      const outputs: string[] = [];
      const metrics: Record<string, number> = {};
      for (const split of splits) {
        const file = split === 'test' ? join('test', 'aokvqa_eval.json') : 'aokvqa_eval.json';
        const records = await joinSplit(context, split, sets.get(split) as TypedQuestions);
        await writeJson(join(directory, file), records);
        const scores = scoreAokvqa(records);
        outputs.push(file);
        metrics[`${split}MultipleChoice`] = scores.multipleChoice;
        metrics[`${split}DirectAnswer`] = scores.directAnswer;
        metrics[`${split}Questions`] = scores.questions;
      }
      return { outputs, metrics };
    },
  });
  const { metrics } = done.manifest;
  return {
    ...outcomeOf(done),
    multipleChoice: metrics.validationMultipleChoice ?? 0,
    directAnswer: metrics.validationDirectAnswer ?? 0,
    testMultipleChoice: metrics.testMultipleChoice,
    testDirectAnswer: metrics.testDirectAnswer,
    questions: metrics.validationQuestions ?? 0,
  };
}

async function joinSplit(
  context: StepContext,
  split: Split,
  { questions, questionTypes }: TypedQuestions,
): Promise<EvaluatedQuestion[]> {
  const losses = [];
  for (let shard = 0; shard < context.config.evaluate.shards; shard += 1) {
    losses.push(...(await readJsonLines(join(shardDirectory(context, split, shard), lossesFile), choiceLossesSchema)));
  }
  return rankChoices({ questions, losses, questionTypes });
}

interface TypedQuestions {
  questions: AokvqaQuestion[];
  questionTypes: Map<string, string>;
  hash: string;
}

async function readTypedQuestions(context: StepContext, split: Split): Promise<TypedQuestions> {
  const set = requireQuestionSet(context, split);
  const questions = (await readAokvqa(set.file)).slice(0, set.limit);
  const questionTypes = await questionTypesOf(context, questions);
  const hash = hashValue({ file: await hashFile(set.file), limit: set.limit, types: [...questionTypes] });
  return { questions, questionTypes, hash };
}

function shardDirectory({ config, run, round }: StepContext, split: Split, shard: number): string {
  return join(roundDirectory(run, round), 'evaluate-parts', `${split}-${shard}-of-${config.evaluate.shards}`);
}

async function requireShard(context: StepContext, split: Split, shard: number) {
  const directory = shardDirectory(context, split, shard);
  const manifest = await readManifest(directory);
  if (manifest !== undefined) return manifest;
  throw new InputError({
    file: directory,
    problem: 'this part of the evaluation has not been done',
    remedy: 'Run `dataengine evaluate` for this round',
  });
}

function requireQuestionSet({ config, run }: StepContext, split: Split): QuestionSet {
  const set = questionSet(config, split);
  if (set !== undefined) return set;
  throw new InputError({
    file: join(run.root, 'config.json'),
    field: `data.${split}`,
    problem: `the config has no ${split} questions`,
    remedy: `Set data.${split}`,
  });
}
