import { z } from 'zod';
import { fileExists } from '../core/files.ts';
import { hashValue } from '../core/hash.ts';
import { readJson } from '../core/read-json.ts';
import { writeJson } from '../core/write-file.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate, readPromptTemplate } from '../teacher/prompt-template.ts';
import { type StructuredFormat, structuredFormat } from '../teacher/teacher.ts';
import { TeacherError } from '../teacher/teacher-error.ts';
import type { QuestionType } from './question-types.ts';

/** A question without a type. */
export interface UnclassifiedQuestion {
  question_id: string;
  question: string;
}

// Keyed by a hash of the question's text, the prompt and the types, so that a new version asks anew.
const cacheSchema = z.record(z.string(), z.string());
const entrySchema = z.object({ number: z.number().int(), question_type: z.string() });
const answerSchema = z.object({ classified: z.array(z.unknown()) });

/** For a teacher that is to write the types as JSON by a schema: it can name no type that is not there. */
export function classificationFormat(types: readonly QuestionType[]): StructuredFormat {
  const entry = entrySchema.extend({ question_type: z.enum(types.map(({ name }) => name)) });
  return structuredFormat(z.object({ classified: z.array(entry) }), 'classification');
}

/**
 * Has the teacher sort questions into question types, 50 a call. What comes back unreadable, for a question that
 * was not asked, or with a type that is not there, counts as missing, and only the missing are asked again.
 * Results are kept in a file after each call, so that an interrupted run goes on where it stopped.
 *
 * @param input.promptFile a prompt with the places `{{types}}` and `{{questions}}`
 * @param input.attempts how often a question is asked about in all
 * @returns question id → question type, for every question
 * @throws TeacherError (retryable) when the teacher leaves questions out each time; what `ask` throws.
 */
export async function classifyQuestions(input: {
  questions: readonly UnclassifiedQuestion[];
  types: readonly QuestionType[];
  ask: (messages: ChatMessage[], options: { signal?: AbortSignal | undefined }) => Promise<{ text: string }>;
  cacheFile: string;
  promptFile?: string;
  batchSize?: number;
  attempts?: number;
  signal?: AbortSignal | undefined;
}): Promise<Map<string, string>> {
  const { questions, types, ask, cacheFile, signal } = input;
  const { promptFile = 'configs/prompts/classify-v1.md', batchSize = 50, attempts = 3 } = input;
  const template = await readPromptTemplate(promptFile, ['types', 'questions']);
  const cache = (await fileExists(cacheFile)) ? await readJson(cacheFile, cacheSchema) : {};
  const version = hashValue({ prompt: template.hash, types });
  const keys = new Map(questions.map((question) => [question, hashValue({ question: question.question, version })]));
  const keyOf = (question: UnclassifiedQuestion) => keys.get(question) as string;
  const missing = () => questions.filter((question) => cache[keyOf(question)] === undefined);

  for (let attempt = 1; attempt <= attempts && missing().length > 0; attempt += 1) {
    for (const batch of inBatches(missing(), batchSize)) {
      signal?.throwIfAborted();
      const { text } = await ask(classificationMessages(template, types, batch), { signal });
      const found = readClassification(text, batch, types);
      if (found.size === 0) continue;
      for (const [question, type] of found) cache[keyOf(question)] = type;
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

function classificationMessages(
  template: PromptTemplate,
  types: readonly QuestionType[],
  questions: readonly UnclassifiedQuestion[],
): ChatMessage[] {
  return fillTemplate(template, {
    types: types.map(({ name, explanation }) => `- ${name}: ${explanation}`).join('\n'),
    questions: questions.map(({ question }, index) => `${index + 1}. ${question.replace(/\s+/g, ' ')}`).join('\n'),
  });
}

function readClassification(
  text: string,
  questions: readonly UnclassifiedQuestion[],
  types: readonly QuestionType[],
): Map<UnclassifiedQuestion, string> {
  const names = new Set(types.map((type) => type.name));
  const found = new Map<UnclassifiedQuestion, string>();
  for (const item of parseEntries(text)) {
    const entry = entrySchema.safeParse(item);
    const question = entry.success ? questions[entry.data.number - 1] : undefined;
    if (entry.success && question && names.has(entry.data.question_type)) found.set(question, entry.data.question_type);
  }
  return found;
}

// Some models put the object between words or code fences, whatever they were told.
function parseEntries(text: string): unknown[] {
  try {
    const json: unknown = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
    const answer = answerSchema.safeParse(json);
    return answer.success ? answer.data.classified : [];
  } catch {
    return [];
  }
}

function inBatches<T>(items: readonly T[], size: number): T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < items.length; start += size) batches.push(items.slice(start, start + size));
  return batches;
}
