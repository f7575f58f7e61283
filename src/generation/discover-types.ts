/**
 * Has the teacher find out what kinds of questions there are, from questions with right and wrong answers.
 */
import { z } from 'zod';
import { hashValue } from '../core/hash.ts';
import { objectIn } from '../teacher/answer-text.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate } from '../teacher/prompt-template.ts';
import { type StructuredFormat, structuredFormat } from '../teacher/teacher.ts';
import { TeacherError } from '../teacher/teacher-error.ts';
import { oneLine } from './prompt.ts';
import { otherType, type QuestionType } from './question-type.ts';
import { listTypes } from './question-types.ts';

/** A question with its right answer, and what the model has answered. */
export interface AnsweredQuestionText {
  question: string;
  rightAnswer: string;
  modelAnswer: string;
  isRight: boolean;
}

/**
 * Asks the teacher for one reply that `read` can use, and keeps it: the same request is sent once only.
 */
export type AskForTypes = <T>(
  messages: ChatMessage[],
  options: { format: StructuredFormat; read: (text: string) => T | undefined },
) => Promise<T>;

export interface DiscoveryPrompts {
  discover: PromptTemplate;
  merge: PromptTemplate;
}

export const discoverPlaceholders = ['questions', 'known_types', 'maximum'];
export const mergePlaceholders = ['types', 'maximum'];

const proposalSchema = z.object({ name: z.string(), title: z.string(), explanation: z.string() });
const proposalsSchema = z.object({ types: z.array(proposalSchema) });
/** The structured output of a proposal. */
export const typesFormat = structuredFormat(proposalsSchema, 'question_types');

/** Proposals that one request can merge. */
const mostMerged = 100;
const longestName = 60;
const longestTitle = 100;
const longestExplanation = 2000;

/**
 * Proposes question types: the teacher reads the questions in batches and names types for each, then merges those that are
 * nearly the same.
 *
 * @param input.known types that need not be proposed; the result has none of their names
 * @param input.maximum of types
 * @param input.mapAll does the work for each batch, several at a time
 * @returns possibly none
 * @throws TeacherError when the teacher gives no list; errors of `ask`
 */
export async function discoverTypes(input: {
  questions: readonly AnsweredQuestionText[];
  known: readonly QuestionType[];
  maximum: number;
  batchSize: number;
  prompts: DiscoveryPrompts;
  ask: AskForTypes;
  mapAll: <Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>) => Promise<Result[]>;
}): Promise<QuestionType[]> {
  const { questions, known, maximum, batchSize, prompts, ask, mapAll } = input;
  const request = (messages: ChatMessage[]) => ask(messages, { format: typesFormat, read: readProposedTypes });
  const batches = inEvenBatches(questions, batchSize);
  const proposals = await mapAll(batches, (batch) =>
    request(proposalMessages(prompts.discover, batch, known, maximum)),
  );
  let types = withUniqueNames(proposals.flat(), known);
  let isMerged = batches.length <= 1;
  while (types.length > maximum || !isMerged) {
    const groups = inEvenBatches(types, mostMerged);
    const merged = await mapAll(groups, (group) => request(mergeMessages(prompts.merge, group, maximum)));
    const fewer = withUniqueNames(
      merged.flatMap((group) => group.slice(0, maximum)),
      known,
    );
    isMerged = groups.length === 1;
    // A teacher that merges nothing must not be asked forever.
    types = fewer.length < types.length ? fewer : fewer.slice(0, maximum);
  }
  return types;
}

/**
 * Reads the types of a reply, with names, titles and explanations in the form that a list has. Entries without a name or an
 * explanation are left out.
 *
 * @returns undefined when the reply has no list of types
 */
export function readProposedTypes(text: string): QuestionType[] | undefined {
  const found = proposalsSchema.safeParse(objectIn(text));
  if (!found.success) return undefined;
  return found.data.types.flatMap((proposal) => {
    const explanation = cutTo(oneLine(proposal.explanation), longestExplanation);
    const title = cutTo(oneLine(proposal.title), longestTitle) || cutTo(oneLine(proposal.name), longestTitle);
    const name = nameOf(proposal.name) || nameOf(proposal.title);
    return name === '' || explanation === '' || name === otherType.name ? [] : [{ name, title, explanation }];
  });
}

/** Identifies a request for types by all that its reply depends on. */
export function keyOfRequest(messages: readonly ChatMessage[], teacher: unknown): string {
  return hashValue({ messages, teacher });
}

/** @throws TeacherError for a teacher that gave no list of types in any attempt */
export function refuseNoTypes(attempts: number): never {
  throw new TeacherError(`The teacher gave no list of question types in ${attempts} attempts`, { retryable: true });
}

/** Makes the messages of a request for types. */
export function proposalMessages(
  template: PromptTemplate,
  questions: readonly AnsweredQuestionText[],
  known: readonly QuestionType[],
  maximum: number,
): ChatMessage[] {
  return fillTemplate(template, {
    maximum: String(maximum),
    known_types: known.length === 0 ? '(none)' : listTypes(known),
    questions: questions.map((question, index) => `${index + 1}. ${describeAnswered(question)}`).join('\n'),
  });
}

function describeAnswered({ question, rightAnswer, modelAnswer, isRight }: AnsweredQuestionText): string {
  const ofModel = isRight ? 'the same, right' : `${oneLine(modelAnswer)}, wrong`;
  return `${oneLine(question)} (right answer: ${oneLine(rightAnswer)}; the model's: ${ofModel})`;
}

function mergeMessages(template: PromptTemplate, types: readonly QuestionType[], maximum: number): ChatMessage[] {
  return fillTemplate(template, { maximum: String(maximum), types: listTypes(types) });
}

/** Names become folders' and tables' keys, and parts of other names: words of ASCII letters and digits, joined by `_`. */
function nameOf(text: string): string {
  const words = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^a-z0-9-]+/g, '_');
  return cutTo(words.replace(/^[^a-z]+/, ''), longestName).replace(/[_-]+$/, '');
}

/** Two batches may use a name for different things, so the second gets a number. */
function withUniqueNames(types: readonly QuestionType[], known: readonly QuestionType[]): QuestionType[] {
  const names = new Set([...known, otherType].map(({ name }) => name));
  return types.map((type) => {
    let name = type.name;
    for (let number = 2; names.has(name); number += 1) name = `${type.name}_${number}`;
    names.add(name);
    return { ...type, name };
  });
}

function cutTo(text: string, length: number): string {
  return Array.from(text).slice(0, length).join('').trim();
}

/** As few batches as can be, all of nearly the same size. */
export function inEvenBatches<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, batch) =>
    items.slice(Math.round((batch * items.length) / count), Math.round(((batch + 1) * items.length) / count)),
  );
}
