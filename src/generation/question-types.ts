import { parseDocument } from 'yaml';
import { z } from 'zod';
import { describeFirstIssue } from '../core/field-path.ts';
import { fileExists } from '../core/files.ts';
import { hashValue } from '../core/hash.ts';
import { InputError } from '../core/input-error.ts';
import { plainYamlValue } from '../core/plain-yaml.ts';
import { readJson, readTextFile } from '../core/read-json.ts';
import { writeJson } from '../core/write-file.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate, readPromptTemplate } from '../teacher/prompt-template.ts';
import { type StructuredFormat, structuredFormat } from '../teacher/teacher.ts';
import { TeacherError } from '../teacher/teacher-error.ts';

const questionType = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_-]*$/, 'must be lower-case words joined by _ or -'),
  title: z.string().min(1),
  explanation: z.string().min(1),
});

const questionTypes = z
  .array(questionType)
  .min(1)
  .superRefine((types, context) => {
    const seen = new Set<string>();
    for (const [index, { name }] of types.entries()) {
      if (seen.has(name))
        context.addIssue({ code: 'custom', path: [index, 'name'], message: `${name} is there twice` });
      seen.add(name);
    }
  });

/** A kind of question: its name in the data, and its title and explanation as the teacher reads them. */
export type QuestionType = z.output<typeof questionType>;

/**
 * Reads the list of question types from YAML.
 *
 * @throws InputError with the line of broken YAML, or the field that does not fit.
 */
export async function readQuestionTypes(file: string): Promise<QuestionType[]> {
  const document = parseDocument(await readTextFile(file), { prettyErrors: true });
  const [broken] = document.errors;
  if (broken) {
    const place = broken.linePos?.[0];
    const problem = (broken.message.split('\n')[0] ?? '').replace(/ at line \d+.*$/, '');
    throw new InputError({ file, line: place?.line, column: place?.col, problem, remedy: 'Mend the YAML here' });
  }
  const result = questionTypes.safeParse(plainYamlValue(document, file));
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
 * The question type of that name.
 *
 * @throws Error that names the types there are.
 */
export function findQuestionType(types: readonly QuestionType[], name: string): QuestionType {
  const found = types.find((type) => type.name === name);
  if (found) return found;
  throw new Error(`There is no question type ${name}; known are ${types.map((type) => type.name).join(', ')}`);
}

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
