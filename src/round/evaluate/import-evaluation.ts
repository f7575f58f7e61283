/** An evaluation that another program made, as a folder that is compared and planned by like one of ours. */
import { hashValue } from '../../core/hash.ts';
import { hashInputFile } from '../../core/read-json.ts';
import { type Scores, writeEvaluation } from '../../evaluation/evaluation-files.ts';
import { readResults } from '../../evaluation/import-results.ts';
import { summarizeMeasures } from '../../evaluation/summarize-measures.ts';

const bootstrap = { samples: 1000, seed: 42 };

/**
 * Writes the scores of a file of results. Questions are told apart by the program's own numbers of them, so that two files of
 * the same task are compared question by question.
 *
 * @param folderOf the folder for a set's evaluation; `weights` is the hash of the file
 * @throws InputError as `readResults` does; StorageError when the folder can't be written
 */
export async function importEvaluation(
  file: string,
  folderOf: (set: string, weights: string) => string,
): Promise<{ scores: Scores; folder: string }> {
  const { program, set, measures, texts } = await readResults(file);
  const weights = await hashInputFile(file);
  const scores: Scores = {
    schemaVersion: 1,
    set,
    benchmark: `${program} ${set}`,
    title: `${set} (${program})`,
    blind: false,
    // Which weights answered is not in the file: the results themselves stand for them.
    weights,
    asked: hashValue([...texts.keys()].sort()),
    questions: texts.size,
    unanswered: 0,
    measures: summarizeMeasures(measures, { ...bootstrap, seed: `${bootstrap.seed}/${set}` }),
  };
  const answered = [...texts].map(([id, text]) => ({ question: { id }, choice: undefined, losses: [], text }));
  const folder = folderOf(set, weights);
  await writeEvaluation(folder, scores, measures, answered);
  return { scores, folder };
}
