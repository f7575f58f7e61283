/** What the model has answered to a set's questions: the joined shards. */
import { join } from 'node:path';
import { readJsonLines } from '../../core/read-json.ts';
import { type EvaluationAnswer, evaluationAnswerSchema } from '../../trainer/job-files.ts';
import type { EvaluationSet } from '../evaluation-sets.ts';
import { requireShard } from '../shards.ts';
import type { StepContext } from '../step-context.ts';
import { evaluationShardDirectory } from '../step-directory.ts';
import { importedAnswers } from './import-answers.ts';
import { lossesFile } from './rank-questions.ts';

/** The folders of a set's shards. */
export function shardFolders(context: StepContext, { name: set }: EvaluationSet): string[] {
  const { shards } = context.config.evaluate;
  return Array.from({ length: shards }, (_, shard) => evaluationShardDirectory(context, { set, shard }));
}

/** The answers of all shards, or those that were imported. @throws InputError when a shard has not finished */
export async function readSetAnswers(context: StepContext, set: EvaluationSet): Promise<EvaluationAnswer[]> {
  const imported = await importedAnswers(context, set);
  if (imported !== undefined) return readJsonLines(join(imported.folder, lossesFile), evaluationAnswerSchema);
  const answers: EvaluationAnswer[] = [];
  for (const folder of shardFolders(context, set)) {
    await requireShard(context, 'evaluate', folder);
    answers.push(...(await readJsonLines(join(folder, lossesFile), evaluationAnswerSchema)));
  }
  return answers;
}
