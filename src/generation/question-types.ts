import { z } from 'zod';
import { fileExists } from '../core/files.ts';
import { hashValue } from '../core/hash.ts';
import { describeFirstIssue, InputError } from '../core/input-error.ts';
import { readPlainYaml } from '../core/plain-yaml.ts';
import { readJson } from '../core/read-json.ts';
import { writeJson } from '../core/write-file.ts';
import { objectIn } from '../teacher/answer-text.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate, readPromptTemplate } from '../teacher/prompt-template.ts';
import { type StructuredFormat, structuredFormat } from '../teacher/teacher.ts';
import { TeacherError } from '../teacher/teacher-error.ts';
import { withoutHidden } from './chat-marks.ts';
import { type QuestionType, questionTypesSchema } from './question-type.ts';

export type { QuestionType };

/**
 * Reads the list of question types from YAML.
 *
 * @throws InputError with the line of invalid YAML, or the field that does not fit
 */
export async function readQuestionTypes(file: string): Promise<QuestionType[]> {
  const result = questionTypesSchema.safeParse((await readPlainYaml(file)).value);
  if (result.success) return result.data;
  const { field, problem } = describeFirstIssue(result.error);
  throw new InputError({
    file,
    field,
    problem,
    remedy: 'Each question type has a name, a title and an explanation',
  });
}

/**
 * Finds a question type by name.
 *
 * @throws Error that names the known question types
 */
export function findQuestionType(questionTypes: readonly QuestionType[], name: string): QuestionType {
  const found = questionTypes.find((one) => one.name === name);
  if (found) return found;
  throw new Error(`There is no question type ${name}; known are ${questionTypes.map((one) => one.name).join(', ')}`);
}

/** The list, and the types of a column that it lacks: what such a type means, the examples show. */
export function withOtherTypes(questionTypes: readonly QuestionType[], names: readonly string[]): QuestionType[] {
  const known = new Set(questionTypes.map(({ name }) => name));
  const others = [...new Set(names)].filter((name) => !known.has(name));
  const explanation = 'Questions like those of the examples.';
  return [...questionTypes, ...others.map((name) => ({ name, title: name.replaceAll('_', ' '), explanation }))];
}

/** A question without a question type. */
export interface UnclassifiedQuestion {
  question_id: string;
  question: string;
}

// Keyed by a hash of the question's text, the prompt and the question types: new versions are classified anew.
const cacheSchema = z.record(z.string(), z.string());
const entrySchema = z.object({ number: z.number().int(), question_type: z.string() });
const answerSchema = z.object({ classified: z.array(z.unknown()) });

/** How many questions are classified in a call. */
export const questionsPerRequest = 50;

/** The structured output of a classification: it allows the known question types only. */
export function classificationFormat(questionTypes: readonly QuestionType[]): StructuredFormat {
  const entry = entrySchema.extend({ question_type: z.enum(questionTypes.map(({ name }) => name)) });
  return structuredFormat(z.object({ classified: z.array(entry) }), 'classification');
}

/**
 * Has the teacher classify questions by question type, 50 in a call. An unreadable answer, one to a question that was not
 * sent, or one with an unknown question type counts as missing, and only missing ones are requested again. Results are
 * written to a file after each call, so that an interrupted run resumes there.
 *
 * @param input.promptFile a prompt with the placeholders `{{types}}` and `{{questions}}`
 * @param input.attempts how often a question is sent at most
 * @returns question id → question type, for every question
 * @throws TeacherError (retryable) when the teacher leaves out questions in every attempt; errors of `ask`
 */
export async function classifyQuestions(input: {
  questions: readonly UnclassifiedQuestion[];
  questionTypes: readonly QuestionType[];
  ask: (messages: ChatMessage[], options: { signal?: AbortSignal | undefined }) => Promise<{ text: string }>;
  cacheFile: string;
  promptFile?: string;
  batchSize?: number;
  attempts?: number;
  /** Sets the answers of this sorting apart from those of another one of the same questions. */
  sorting?: string;
  signal?: AbortSignal | undefined;
}): Promise<Map<string, string>> {
  const { questions, questionTypes, ask, cacheFile, sorting, signal } = input;
  const { promptFile = 'configs/prompts/classify-v1.md', batchSize = questionsPerRequest, attempts = 3 } = input;
  const template = await readPromptTemplate(promptFile, ['types', 'questions']);
  const cache = (await fileExists(cacheFile)) ? await readJson(cacheFile, cacheSchema) : {};
  const version = hashValue({ prompt: template.hash, types: questionTypes, ...(sorting !== undefined && { sorting }) });
  const keys = new Map(questions.map((question) => [question, hashValue({ question: question.question, version })]));
  const keyOf = (question: UnclassifiedQuestion) => keys.get(question) as string;
  const missing = () => questions.filter((question) => cache[keyOf(question)] === undefined);

  for (let attempt = 1; attempt <= attempts && missing().length > 0; attempt += 1) {
    for (const batch of inBatches(missing(), batchSize)) {
      signal?.throwIfAborted();
      const { text } = await ask(classificationMessages(template, questionTypes, batch), { signal });
      const found = readClassification(text, batch, questionTypes);
      if (found.size === 0) continue;
      for (const [question, questionType] of found) cache[keyOf(question)] = questionType;
      await writeJson(cacheFile, cache);
    }
  }

  const left = missing();
  if (left.length > 0) {
    throw new TeacherError(
      `The teacher gave no question type for ${left.length} of ${questions.length} questions, such as "${left[0]?.question}"`,
      { retryable: true },
    );
  }
  return new Map(questions.map((question) => [question.question_id, cache[keyOf(question)] as string]));
}

/** Makes the messages of a request to classify questions. */
export function classificationMessages(
  template: PromptTemplate,
  questionTypes: readonly QuestionType[],
  questions: readonly Pick<UnclassifiedQuestion, 'question'>[],
): ChatMessage[] {
  return fillTemplate(template, {
    types: listTypes(questionTypes),
    questions: questions
      .map(({ question }, index) => `${index + 1}. ${withoutHidden(question).replace(/\s+/g, ' ')}`)
      .join('\n'),
  });
}

/** Question types as prompts list them. */
export function listTypes(types: readonly QuestionType[]): string {
  return types.map(({ name, explanation }) => `- ${name}: ${explanation}`).join('\n');
}

function readClassification(
  text: string,
  questions: readonly UnclassifiedQuestion[],
  questionTypes: readonly QuestionType[],
): Map<UnclassifiedQuestion, string> {
  const names = new Set(questionTypes.map(({ name }) => name));
  const found = new Map<UnclassifiedQuestion, string>();
  for (const item of answerSchema.safeParse(objectIn(text)).data?.classified ?? []) {
    const entry = entrySchema.safeParse(item);
    const question = entry.success ? questions[entry.data.number - 1] : undefined;
    if (entry.success && question && names.has(entry.data.question_type)) found.set(question, entry.data.question_type);
  }
  return found;
}

/** Batches of that size; the last may be smaller. */
export function inBatches<T>(items: readonly T[], size: number): T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < items.length; start += size) batches.push(items.slice(start, start + size));
  return batches;
}
