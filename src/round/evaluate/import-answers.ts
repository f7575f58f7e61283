/**
 * Results of another program in place of a round's own answers: what it found right and wrong steers the rounds that follow.
 * They are kept beside the shards of the round's evaluation, which are then not computed for this set.
 */
import { basename, join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { hashInputFile, readJson } from '../../core/read-json.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { LETTERS } from '../../datasets/question-text.ts';
import { isRightScore } from '../../evaluation/bad-cases.ts';
import { hashOfWeights } from '../../evaluation/evaluation-files.ts';
import { extractChoice } from '../../evaluation/extract-choice.ts';
import { type ImportedResults, readResults } from '../../evaluation/import-results.ts';
import type { EvaluationAnswer } from '../../trainer/job-files.ts';
import { type EvaluationSet, hashQuestions, requireEvaluationSet } from '../evaluation-sets.ts';
import { finishedStep, manifestIn } from '../finished-step.ts';
import { isJudged } from '../judge/work.ts';
import { contentSettings, type LoopQuestion, readLoopSet } from '../loop-questions.ts';
import { outcomeOf, type StepContext, type StepOutcome } from '../step-context.ts';
import { shardsDirectory } from '../step-directory.ts';
import { lossesFile } from './rank-questions.ts';

const infoFile = 'imported.json';
/** Must be raised whenever the same results give other answers. */
const importVersion = 1;

const infoSchema = z.object({
  program: z.string(),
  /** Name of the file of results. */
  results: z.string(),
  measure: z.string(),
  /** Hash of the questions that it answers. */
  questions: z.string(),
  /** Hash of the weights that gave the answers: the round's, when they were imported. */
  model: z.string(),
});
type ImportInfo = z.output<typeof infoSchema>;

/** `<run>/round-<k>/evaluate-shards/<set>-imported/` */
export function importDirectory({ run, round }: Pick<StepContext, 'run' | 'round'>, set: string): string {
  return joinInside(shardsDirectory(run, round, 'evaluate'), `${set}-imported`);
}

export interface ImportOutcome extends StepOutcome {
  program: string;
  measure: string;
  questions: number;
  right: number;
}

/**
 * Takes the results of another program as a round's answers to its validation or test questions, one for each. A choice is
 * right where the program says so, and else the one that the answer names; a short answer has the score that the program gave.
 *
 * @param input.measure of a file with several scores of each question
 * @throws InputError when the results are not of exactly these questions, or the round has no merged model yet
 */
export async function importAnswers(
  context: StepContext,
  { set: name, file, measure }: { set: string; file: string; measure?: string | undefined },
): Promise<ImportOutcome> {
  const { config, run } = context;
  const set = requireLoopSet(requireEvaluationSet(config, run, name));
  const questions = await readLoopSet(set, run);
  const results = await readResults(file);
  const chosen = measureOf(file, results, measure);
  const directory = importDirectory(context, set.name);
  const answers = answersOf(file, results, chosen, questions);
  const { manifest: merged } = await finishedStep(run, context.round, 'merge');
  const info: ImportInfo = {
    program: results.program,
    results: basename(file),
    measure: chosen,
    questions: await hashOf(set, questions),
    model: hashOfWeights(merged.outputs),
  };
  const right = answers.filter(({ score = 0 }) => isRightScore(score)).length;
  const done = await runStepOnce({
    directory,
    step: 'evaluate',
    inputs: { version: importVersion, resultsHash: await hashInputFile(file), ...info },
    work: async () => {
      await writeJsonLines(join(directory, lossesFile), answers);
      await writeJson(join(directory, infoFile), info);
      return { outputs: [lossesFile, infoFile], metrics: { questions: answers.length, right } };
    },
  });
  return { ...outcomeOf(done), program: info.program, measure: chosen, questions: answers.length, right };
}

/**
 * The folder of what was imported for a set; undefined where nothing was.
 *
 * @throws InputError when the set has other questions now, or the round another model
 */
export async function importedAnswers(
  context: Pick<StepContext, 'config' | 'run' | 'round'>,
  set: EvaluationSet,
): Promise<{ folder: string; info: ImportInfo; outputs: Record<string, string> } | undefined> {
  const folder = importDirectory(context, set.name);
  const manifest = await manifestIn(context.run, folder);
  if (manifest === undefined) return undefined;
  const info = await readJson(join(folder, infoFile), infoSchema);
  const { manifest: merged } = await finishedStep(context.run, context.round, 'merge');
  const isOfModel = info.model === hashOfWeights(merged.outputs);
  if (isOfModel && info.questions === (await hashOf(set, await readLoopSet(set, context.run)))) {
    return { folder, info, outputs: manifest.outputs };
  }
  const others = isOfModel ? `of other questions than those of ${set.name}` : "of another model than the round's";
  throw new InputError({
    file: folder,
    problem: `has imported results ${others}`,
    remedy: 'Import results of these questions by this model, or delete the folder to have the model evaluated',
  });
}

async function hashOf(set: EvaluationSet, questions: readonly LoopQuestion[]): Promise<string> {
  const settings = JSON.stringify(contentSettings(set.questions) ?? {});
  return [await hashQuestions(set), questions.length, settings].join(' ');
}

/** @throws InputError for a set that results of other programs can't stand in for */
function requireLoopSet(set: EvaluationSet): EvaluationSet {
  const refuse = (problem: string, remedy: string) =>
    new InputError({ file: 'command line', field: '--set', problem, remedy });
  if (set.name !== 'validation' && set.name !== 'test') {
    throw refuse(
      `${set.name} is a benchmark, by which no round is steered`,
      'Import its results without --config, and compare them (dataengine compare)',
    );
  }
  if (isJudged(set)) {
    throw refuse(`the teacher judges the answers to ${set.name}`, 'Choose another questions.metric in the config');
  }
  return set;
}

function measureOf(file: string, { measures, asked }: ImportedResults, wanted: string | undefined): string {
  const whole = Object.entries(measures).flatMap(([name, scores]) => (scores.length === asked.size ? [name] : []));
  const [only] = whole;
  if (wanted !== undefined && whole.includes(wanted)) return wanted;
  if (wanted === undefined && only !== undefined && whole.length === 1) return only;
  const names = Object.keys(measures).join(', ');
  if (whole.length === 0) {
    const remedy = 'Import results in which each question has a score';
    throw new InputError({ file, problem: `no score is of all questions (${names})`, remedy });
  }
  const known = wanted === undefined ? undefined : measures[wanted];
  const lacking = known ? `${wanted} is of ${known.length} of ${asked.size} questions` : `the file has no ${wanted}`;
  throw new InputError({
    file: 'command line',
    field: '--measure',
    problem: wanted === undefined ? `the file has several scores: ${whole.join(', ')}` : lacking,
    remedy: `Name one of ${whole.join(', ')}`,
  });
}

/** One answer a question, in their order. */
function answersOf(
  file: string,
  results: ImportedResults,
  measure: string,
  questions: readonly LoopQuestion[],
): EvaluationAnswer[] {
  const placeOf = namesOfQuestions(file, results, questions);
  const scoreOf = new Map(results.measures[measure]?.map(({ id, score }) => [id, score]));
  return questions.map((question, index) => {
    const id = placeOf.get(index) as string;
    const score = scoreOf.get(id) as number;
    const text = results.texts.get(id) ?? '';
    const { choices } = question;
    if (choices === undefined) return { question_id: question.id, losses: [], text, score };
    return { question_id: question.id, losses: [], choice: choiceOf(question, choices, text, score), score };
  });
}

/** The right choice where the program says so; else the wrong one that the answer names, null where it names none. */
function choiceOf(question: LoopQuestion, choices: readonly string[], text: string, score: number): number | null {
  const { correct_choice_idx: correct = question.correct } = question;
  if (isRightScore(score)) return correct ?? null;
  const lettered = choices.map((choice, index) => ({ letter: LETTERS[index] as string, text: choice }));
  const found = extractChoice(text, lettered);
  const place =
    found === undefined || found === 'none' ? -1 : lettered.findIndex(({ letter }) => letter === found.letter);
  return place < 0 || choices[place] === choices[correct ?? -1] ? null : place;
}

/**
 * Place of each question → its id in the results, by the first name that all results have a question for.
 *
 * @throws InputError when they are not of exactly these questions
 */
function namesOfQuestions(
  file: string,
  { asked }: ImportedResults,
  questions: readonly LoopQuestion[],
): Map<number, string> {
  const placeOfId = new Map(questions.map(({ id }, index) => [id, index]));
  const fields = [...new Set([...asked.values()].flatMap(({ names }) => Object.keys(names)))];
  const own = (id: string) => id;
  const ways = [...fields.map((field) => (id: string) => asked.get(id)?.names[field] ?? ''), own];
  const unknownBy = (nameOf: (id: string) => string) => [...asked.keys()].filter((id) => !placeOfId.has(nameOf(id)));
  const nameOf = ways.find((way) => unknownBy(way).length === 0);
  if (nameOf === undefined) {
    const [id = ''] = unknownBy(ways[0] ?? own);
    const name = (ways[0] ?? own)(id);
    throw otherQuestions(file, `question ${name} of the file is none of the round's, such as ${questions[0]?.id}`);
  }
  const found = new Map<number, string>();
  for (const [id, { question }] of asked) {
    const place = placeOfId.get(nameOf(id)) as number;
    const mine = questions[place] as LoopQuestion;
    if (found.has(place)) throw otherQuestions(file, `question ${mine.id} is there twice`);
    if (question !== undefined && !plain(question).includes(plain(mine.question))) {
      throw otherQuestions(file, `question ${mine.id} of the file is another one than the round's`);
    }
    found.set(place, id);
  }
  const missing = questions.filter((_, index) => !found.has(index));
  if (missing.length === 0) return found;
  const count = `${missing.length} of ${questions.length} questions have no result`;
  throw otherQuestions(file, `${count}, such as ${missing[0]?.id}`);
}

function plain(text: string): string {
  return text.replace(/\s+/g, ' ').trim().toLowerCase();
}

function otherQuestions(file: string, problem: string): InputError {
  return new InputError({
    file,
    problem,
    remedy: "Have the program score the round's own questions, under their ids",
  });
}
