import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileExists } from '../core/files.ts';
import { InputError } from '../core/input-error.ts';
import { seededRandom } from '../core/seeded-random.ts';
import { writeJson } from '../core/write-file.ts';
import { readAokvqa } from '../datasets/aokvqa.ts';
import { alignTypes, type TypeAgreement, typeAgreement } from '../evaluation/type-agreement.ts';
import { otherType, type QuestionType } from '../generation/question-type.ts';
import {
  classificationFormat,
  classificationMessages,
  classifyQuestions,
  inBatches,
  questionsPerRequest,
  readQuestionTypes,
} from '../generation/question-types.ts';
import { type PromptTemplate, readPromptTemplate } from '../teacher/prompt-template.ts';
import { type QuestionSet, questionSet } from './dataset-paths.ts';
import { questionTypesFile, readTypeLists, type TypeList } from './discover/type-lists.ts';
import { readLoopQuestions } from './loop-questions.ts';
import type { StepContext, StepOutcome } from './step-context.ts';
import { type AskTeacher, withTeacher } from './teacher.ts';
import { type PlannedRequests, planRequests } from './teacher-price.ts';

const promptFile = fileURLToPath(new URL('../../configs/prompts/classify-v1.md', import.meta.url));

export const agreementFile = 'question_types_agreement.json';

/** What sorting needs of a question. */
type SortedQuestion = Pick<TypedQuestion, 'question_id' | 'question'>;

/** A question that may have a type. */
export interface TypedQuestion {
  question_id: string;
  question: string;
  question_type?: string | undefined;
}

/**
 * The question type of each question: its own, or else the teacher's classification, which is kept in
 * `<run>/question_types.json` so that all rounds use the same. Where types are discovered, none until there are any, and then
 * the teacher's by the lists of the rounds so far.
 */
export async function questionTypesOf(
  context: StepContext,
  questions: readonly TypedQuestion[],
): Promise<Map<string, string>> {
  const { config, run, round } = context;
  if (config.questionTypes.source === 'discover') {
    return sortIntoTypes(context, questions, await readTypeLists(run, round));
  }
  const { types, missing } = knownQuestionTypes(questions);
  return new Map([...types, ...(await askForTypes(context, missing))]);
}

/** The outcome of `dataengine question-types`. */
export interface QuestionTypesOutcome extends StepOutcome, Pick<TypeAgreement, 'questions' | 'share' | 'kappa'> {
  file: string;
}

/**
 * Has the teacher classify the validation questions whose question types are known, and writes how far it agrees.
 *
 * @throws InputError when no question types are known
 */
export async function checkQuestionTypes(context: StepContext): Promise<QuestionTypesOutcome> {
  const startedAt = Date.now();
  const set = questionSet(context.config, 'validation') as QuestionSet;
  const questions = await readLoopQuestions(context, 'validation');
  const agreement = await reportAgreement(context, set, questions);
  if (agreement === undefined) {
    throw new InputError({
      file: set.file,
      field: '[0].question_type',
      problem: `no question has a type${set.questions ? '' : ', and there is no classified file next to this one'}`,
      remedy: set.questions
        ? 'Give the questions types in a column'
        : `Put ${classifiedFile(set.file)} there, or name it as data.validation.file`,
    });
  }
  const { questions: compared, share, kappa } = agreement;
  const seconds = (Date.now() - startedAt) / 1000;
  return { file: join(context.run.root, agreementFile), questions: compared, share, kappa, seconds, reused: false };
}

/**
 * Compares the teacher's question types with those of the questions, or of the classified file next to theirs.
 *
 * @returns undefined when no question types are known
 */
export async function reportAgreement(
  context: StepContext,
  set: QuestionSet,
  questions: readonly TypedQuestion[],
): Promise<TypeAgreement | undefined> {
  const { types } = knownQuestionTypes(questions, await classifiedBeside(set));
  if (types.size === 0) return undefined;
  const known = questions.filter(({ question_id }) => types.has(question_id));
  const isDiscovered = context.config.questionTypes.source === 'discover';
  const found = isDiscovered ? await questionTypesOf(context, known) : await askForTypes(context, known);
  // Discovered types have names of their own.
  const agreement = typeAgreement(types, isDiscovered ? alignTypes(types, found) : found);
  await writeJson(join(context.run.root, agreementFile), agreement);
  return agreement;
}

/** The questions of a classified file next to that of A-OKVQA's questions. */
async function classifiedBeside({ file, questions }: QuestionSet): Promise<TypedQuestion[]> {
  const beside = classifiedFile(file);
  if (questions !== undefined || !(await fileExists(beside))) return [];
  return readAokvqa(beside);
}

/** `aokvqa_v1p0_val.json` → `aokvqa_v1p0_val_classified.json` */
function classifiedFile(file: string): string {
  return file.replace(/(?:_classified)?\.json$/, '_classified.json');
}

/**
 * Sorts questions into discovered types, by the lists of one round after another: a later one is for the questions that fitted
 * no type so far, or whose type is gone.
 *
 * @param sorting which of two independent ones, in another order and with another seed
 */
export async function sortIntoTypes(
  context: StepContext,
  questions: readonly SortedQuestion[],
  lists: readonly TypeList[],
  sorting: Sorting = 'first',
): Promise<Map<string, string>> {
  const sorted = new Map<string, string>();
  for (const { types } of lists) {
    const names = new Set(types.map(({ name }) => name).filter((name) => name !== otherType.name));
    const unsorted = questions.filter(({ question_id }) => !names.has(sorted.get(question_id) ?? ''));
    for (const [id, type] of await sortWith(context, unsorted, types, sorting)) sorted.set(id, type);
  }
  return sorted;
}

type Sorting = 'first' | 'second';

/** Sorts questions into the types of one list. */
export function sortWith(
  context: StepContext,
  questions: readonly SortedQuestion[],
  questionTypes: readonly QuestionType[],
  sorting: Sorting = 'first',
): Promise<Map<string, string>> {
  const random = seededRandom(context.config.seed).fork(`sort questions, ${sorting}`);
  const seed = random.fork('seed').integer(2 ** 31 - 1);
  return askToSort(context, random.shuffle(questions), questionTypes, { sorting, seed });
}

async function askForTypes(context: StepContext, questions: readonly TypedQuestion[]): Promise<Map<string, string>> {
  if (questions.length === 0) return new Map();
  const { config, run, round } = context;
  return askToSort(context, questions, await readQuestionTypes(await questionTypesFile(config, run, round)));
}

async function askToSort(
  context: StepContext,
  questions: readonly SortedQuestion[],
  questionTypes: readonly QuestionType[],
  { sorting, seed }: { sorting?: Sorting; seed?: number } = {},
): Promise<Map<string, string>> {
  if (questions.length === 0) return new Map();
  const { config, run, signal } = context;
  const template = await readPromptTemplate(promptFile, ['types', 'questions']);
  const { temperature, maximumTokens } = template;
  const format = config.teacher.answerFormat === 'structured' ? classificationFormat(questionTypes) : undefined;
  const classify = (ask: AskTeacher) =>
    classifyQuestions({
      questions,
      questionTypes,
      // Fifty question types are longer than a sample, and need no variety.
      ask: (messages, options) =>
        ask(messages, {
          ...options,
          temperature,
          maximumTokens,
          format,
          asForSamples: true,
          ...(seed !== undefined && { seed }),
        }),
      cacheFile: join(run.root, 'question_types.json'),
      promptFile,
      ...(sorting !== undefined && { sorting }),
      signal,
    });
  return withTeacher(context, classify, { planned: () => planSorting(template, [questions], questionTypes) });
}

/** `{"number": 12, "question_type": "…"}` */
const tokensOfClassified = 16;

/** The requests that sort questions into types, each list of them by itself. */
export function planSorting(
  template: PromptTemplate,
  lists: readonly (readonly SortedQuestion[])[],
  types: readonly QuestionType[],
): PlannedRequests {
  const batches = lists.flatMap((list) => inBatches(list, questionsPerRequest));
  const planned = planRequests(
    batches.map((batch) => classificationMessages(template, types, batch)),
    { likely: template.maximumTokens, most: template.maximumTokens },
  );
  const likely = batches.reduce((sum, { length }) => sum + length * tokensOfClassified, 0);
  const { most } = planned.answerTokens;
  return { ...planned, answerTokens: { likely: Math.min(likely, most), most } };
}

/** The questions whose type is known, and those that the teacher has to classify. */
export interface KnownQuestionTypes {
  /** Question id → question type. */
  types: Map<string, string>;
  missing: TypedQuestion[];
}

/**
 * Finds the question type of each question: its own `question_type`, or else that of the same question in a classified
 * file (`aokvqa_v1p0_val_classified.json`). Official A-OKVQA questions have none.
 */
export function knownQuestionTypes(
  questions: readonly TypedQuestion[],
  classified: readonly TypedQuestion[] = [],
): KnownQuestionTypes {
  const classifiedTypes = new Map(classified.map((question) => [question.question_id, question.question_type]));
  const types = new Map<string, string>();
  const missing: TypedQuestion[] = [];
  for (const question of questions) {
    const type = question.question_type ?? classifiedTypes.get(question.question_id);
    if (type === undefined) missing.push(question);
    else types.set(question.question_id, type);
  }
  return { types, missing };
}
