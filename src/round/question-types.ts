import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileExists } from '../core/files.ts';
import { InputError } from '../core/input-error.ts';
import { writeJson } from '../core/write-file.ts';
import { type AokvqaQuestion, readAokvqa } from '../datasets/aokvqa.ts';
import { type TypeAgreement, typeAgreement } from '../evaluation/type-agreement.ts';
import { classificationFormat, classifyQuestions, readQuestionTypes } from '../generation/question-types.ts';
import { readPromptTemplate } from '../teacher/prompt-template.ts';
import { type QuestionSet, questionSet } from './dataset-paths.ts';
import type { StepContext, StepOutcome } from './step-context.ts';
import { withTeacher } from './teacher.ts';

const promptFile = fileURLToPath(new URL('../../configs/prompts/classify-v1.md', import.meta.url));

export const agreementFile = 'question_types_agreement.json';

/**
 * The question type of each question: its own, or else the teacher's classification, which is kept in
 * `<run>/question_types.json` so that all rounds use the same.
 */
export async function questionTypesOf(
  context: StepContext,
  questions: readonly AokvqaQuestion[],
): Promise<Map<string, string>> {
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
  const questions = (await readAokvqa(set.file)).slice(0, set.limit);
  const agreement = await reportAgreement(context, set, questions);
  if (agreement === undefined) {
    throw new InputError({
      file: set.file,
      field: '[0].question_type',
      problem: 'no question has a type, and there is no classified file next to this one',
      remedy: `Put ${classifiedFile(set.file)} there, or name it as data.validation.file`,
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
  questions: readonly AokvqaQuestion[],
): Promise<TypeAgreement | undefined> {
  const beside = classifiedFile(set.file);
  const classified = (await fileExists(beside)) ? await readAokvqa(beside) : [];
  const { types } = knownQuestionTypes(questions, classified);
  if (types.size === 0) return undefined;
  const found = await askForTypes(
    context,
    questions.filter(({ question_id }) => types.has(question_id)),
  );
  const agreement = typeAgreement(types, found);
  await writeJson(join(context.run.root, agreementFile), agreement);
  return agreement;
}

/** `aokvqa_v1p0_val.json` → `aokvqa_v1p0_val_classified.json` */
function classifiedFile(file: string): string {
  return file.replace(/(?:_classified)?\.json$/, '_classified.json');
}

async function askForTypes(context: StepContext, questions: readonly AokvqaQuestion[]): Promise<Map<string, string>> {
  if (questions.length === 0) return new Map();
  const { config, run, signal } = context;
  const { temperature, maximumTokens } = await readPromptTemplate(promptFile, ['types', 'questions']);
  const questionTypes = await readQuestionTypes(config.data.questionTypes);
  const format = config.teacher.answerFormat === 'structured' ? classificationFormat(questionTypes) : undefined;
  return withTeacher(context, (ask) =>
    classifyQuestions({
      questions,
      questionTypes,
      // Fifty question types are longer than a sample, and need no variety.
      ask: (messages, options) => ask(messages, { ...options, temperature, maximumTokens, format, asForSamples: true }),
      cacheFile: join(run.root, 'question_types.json'),
      promptFile,
      signal,
    }),
  );
}

/** The questions whose type is known, and those that the teacher has to classify. */
export interface KnownQuestionTypes {
  /** Question id → question type. */
  types: Map<string, string>;
  missing: AokvqaQuestion[];
}

/**
 * Finds the question type of each question: its own `question_type`, or else that of the same question in a classified
 * file (`aokvqa_v1p0_val_classified.json`). Official A-OKVQA questions have none.
 */
export function knownQuestionTypes(
  questions: readonly AokvqaQuestion[],
  classified: readonly AokvqaQuestion[] = [],
): KnownQuestionTypes {
  const classifiedTypes = new Map(classified.map((question) => [question.question_id, question.question_type]));
  const types = new Map<string, string>();
  const missing: AokvqaQuestion[] = [];
  for (const question of questions) {
    const type = question.question_type ?? classifiedTypes.get(question.question_id);
    if (type === undefined) missing.push(question);
    else types.set(question.question_id, type);
  }
  return { types, missing };
}
