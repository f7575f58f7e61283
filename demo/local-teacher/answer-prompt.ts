import { hashBytes } from '../../src/core/hash.ts';
import { type SeededRandom, seededRandom } from '../../src/core/seeded-random.ts';
import { askQuestion } from '../scenes/questions.ts';
import { joinParts, type TeacherQuestion, writeParts } from './answer-format.ts';
import { answerQuestion } from './answer-question.ts';
import { answerRevision } from './answer-revision.ts';
import { classifyByKeywords } from './classify-by-keywords.ts';
import { answerWithMistake, type MistakeKind, mistakeKinds } from './mistakes.ts';
import { type GenerationPrompt, readPrompt } from './read-prompt.ts';
import { sceneOf } from './scene-of.ts';

/** An answer, and what kind it is. */
export interface LocalAnswer {
  text: string;
  kind: 'question' | 'skip' | 'classification' | 'letter' | 'diagnose' | 'revise' | 'refusal' | 'other' | MistakeKind;
}

/**
 * Answers a prompt by rules, from the prompt alone. The same prompt gives the same answer.
 *
 * @param prompt the whole text of the conversation
 * @param options.mistakeRate share of the questions that get a mistake, 0 to 1
 */
export function answerPrompt(prompt: string, options: { mistakeRate: number; seed: number | string }): LocalAnswer {
  const read = readPrompt(prompt);
  if (read.kind === 'classify') return { kind: 'classification', text: classifyByKeywords(read) };
  if (read.kind === 'answer') return { kind: 'letter', text: answerQuestion(read, options.seed) };
  if ('complaints' in read) return { kind: read.kind, text: answerRevision(read) };
  if (read.kind === 'other') {
    return {
      kind: 'other',
      text: 'I am the local teacher. I write questions about a picture that I am told about, and sort questions into types.',
    };
  }
  const random = seededRandom(String(options.seed)).fork(hashBytes(prompt));
  const question = makeQuestion(read, random.fork('question'));
  if (!question) {
    const type = read.questionType.replaceAll('_', ' ');
    return { kind: 'skip', text: `Skip: what is known of this picture allows no good ${type} question.` };
  }
  const mistakes = random.fork('mistake');
  if (mistakes.uniform() >= options.mistakeRate) return { kind: 'question', text: joinParts(writeParts(question)) };
  const kind = mistakes.pick(mistakeKinds);
  return { kind, text: answerWithMistake(kind, question, mistakes) };
}

function makeQuestion(prompt: GenerationPrompt, random: SeededRandom): TeacherQuestion | undefined {
  const scene = sceneOf(prompt);
  const candidates = [0, 1, 2].flatMap(
    (attempt) => askQuestion(prompt.questionType, scene, random.fork(attempt)) ?? [],
  );
  const chosen = mostAlike(candidates, prompt.exampleQuestions);
  if (!chosen) return undefined;
  return {
    question: chosen.question,
    choices: chosen.choices,
    correctChoiceIndex: chosen.correctChoiceIndex,
    explanation: withBoxes(longest(chosen.rationales), prompt.boxes, random.fork('boxes')),
  };
}

/** In-context examples steer a teacher: of what it could ask, it asks what is most like them. */
function mostAlike<T extends { question: string }>(
  candidates: readonly T[],
  examples: readonly string[],
): T | undefined {
  const exampleWords = examples.map(wordsOf);
  const likeness = ({ question }: T) => {
    const words = wordsOf(question);
    return Math.max(0, ...exampleWords.map((others) => shared(words, others)));
  };
  return candidates.reduce<T | undefined>(
    (best, candidate) => (best === undefined || likeness(candidate) > likeness(best) ? candidate : best),
    undefined,
  );
}

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/[a-z]+/g) ?? []);
}

function shared(words: ReadonlySet<string>, others: ReadonlySet<string>): number {
  const common = [...words].filter((word) => others.has(word)).length;
  return common / (words.size + others.size - common || 1);
}

function longest(texts: readonly string[]): string {
  return texts.reduce((best, text) => (text.length > best.length ? text : best), '');
}

// GPT-4 puts boxes behind the objects it names, as the prompt allows; half of our answers do so too.
function withBoxes(text: string, boxes: GenerationPrompt['boxes'], random: SeededRandom): string {
  if (random.uniform() < 0.5) return text;
  const named = boxes.find(
    ({ category }) => boxes.filter((box) => box.category === category).length === 1 && wordPattern(category).test(text),
  );
  return named ? text.replace(wordPattern(named.category), (word) => `${word} [${named.edges.join(', ')}]`) : text;
}

function wordPattern(category: string): RegExp {
  return new RegExp(`\\b${category.replace(/[^\w ]/g, '\\$&')}\\b`, 'i');
}
