import { hashBytes, hashValue } from '../../src/core/hash.ts';
import { type SeededRandom, seededRandom } from '../../src/core/seeded-random.ts';
import { askQuestion, QUESTION_TYPES } from '../scenes/questions.ts';
import type { PartialScene } from '../scenes/scene.ts';
import { sceneFromAnnotations } from '../scenes/scene-from-annotations.ts';
import { findCategory } from '../scenes/vocabulary.ts';
import {
  answerWithMistake,
  joinParts,
  type LocalAnswer,
  mistakeKinds,
  shortAnswerWithMistake,
  shortMistakeKinds,
  type TeacherQuestion,
  writeParts,
  writeShort,
} from './answer-format.ts';
import { answerAboutTypes } from './answer-types.ts';
import { describeSeen } from './eyes/describe-seen.ts';
import type { Seen } from './eyes/look.ts';
import { readPhoto } from './photos/photo.ts';
import { answerAboutPhoto, askAboutPhoto } from './photos/questions.ts';
import {
  type AnswerPrompt,
  type GenerationPrompt,
  type ImageFacts,
  type JudgePrompt,
  type RevisionPrompt,
  readPrompt,
} from './read-prompt.ts';
import { gradeByWords } from './wording/judge.ts';

export interface AnswerOptions {
  /** Share of the questions that get a mistake, 0 to 1. */
  mistakeRate: number;
  seed: number | string;
  /** What was recognized in the prompt's image; undefined for a prompt without one. */
  seen?: Seen | undefined;
}

/**
 * Answers a prompt by rules: from its image alone where it has one, otherwise from its facts about one. The same prompt
 * with the same image always gets the same answer.
 *
 * @param prompt the whole text of the conversation
 */
export function answerPrompt(prompt: string, options: AnswerOptions): LocalAnswer {
  const { seen } = options;
  const read = readPrompt(prompt, seen !== undefined);
  if (read.kind === 'classify' || read.kind === 'discover' || read.kind === 'merge') return answerAboutTypes(read);
  if (read.kind === 'answer') {
    if (read.choices.length === 0) return { kind: 'short', text: answerInWords(read, options) };
    return { kind: 'letter', text: answerQuestion(read, options) };
  }
  if (read.kind === 'judge') return { kind: 'score', text: grade(read) };
  if (read.kind === 'describe') return describeSeen(seen);
  if ('complaints' in read) return { kind: read.kind, text: answerRevision(read) };
  if (read.kind === 'other') {
    return {
      kind: 'other',
      text: 'I am the local teacher. I write questions about a picture that I am told about, and sort questions into types.',
    };
  }
  const fromPrompt = seededRandom(String(options.seed)).fork(hashBytes(prompt));
  const random = seen ? fromPrompt.fork(hashValue(seen)) : fromPrompt;
  const question = seen ? questionFromImage(read, seen, random) : makeQuestion(read, random.fork('question'));
  if (!question) {
    const type = read.questionType.replaceAll('_', ' ');
    return { kind: 'skip', text: `Skip: what is known of this picture allows no good ${type} question.` };
  }
  const mistakes = random.fork('mistake');
  const isRight = mistakes.uniform() >= options.mistakeRate;
  if (read.isShort && isRight) return { kind: 'question', text: writeShort(question) };
  if (read.isShort) {
    const kind = mistakes.pick(shortMistakeKinds);
    return { kind, text: shortAnswerWithMistake(kind, question, mistakes) };
  }
  if (isRight) return { kind: 'question', text: joinParts(writeParts(question)) };
  const kind = mistakes.pick(mistakeKinds);
  return { kind, text: answerWithMistake(kind, question, mistakes) };
}

function grade({ references, answer }: JudgePrompt): string {
  const score = gradeByWords(references, answer);
  return `${score === 4 ? 'It says what a right answer says.' : 'It lacks words of the right answers.'}\nScore: ${score}`;
}

/** From the pixels alone: whatever facts the prompt has, and the places that it gives, are left aside. */
function questionFromImage(prompt: GenerationPrompt, { scene }: Seen, random: SeededRandom) {
  return scene && makeQuestion({ ...prompt, captions: [], boxes: [] }, random.fork('question'), scene);
}

function makeQuestion(
  prompt: GenerationPrompt,
  random: SeededRandom,
  scene: PartialScene = sceneOf(prompt),
): TeacherQuestion | undefined {
  const chosen = questionOfScene(prompt, random, scene) ?? questionOfPhoto(prompt, scene, random);
  if (!chosen) return undefined;
  return {
    question: chosen.question,
    choices: chosen.choices,
    correctChoiceIndex: chosen.correctChoiceIndex,
    explanation: withBoxes(longest(chosen.rationales), prompt.boxes, random.fork('boxes')),
  };
}

/** The demo domain's captions say all of its scenes: what those don't allow to ask can't be asked. */
function questionOfPhoto(prompt: GenerationPrompt, scene: PartialScene, random: SeededRandom) {
  if (isOfDemo(scene) || prompt.captions.length === 0) return undefined;
  return askAboutPhoto(prompt.questionType, readPhoto(prompt), random.fork('photo'));
}

function isOfDemo({ objects }: PartialScene): boolean {
  return objects.every(({ category, size, color }) => findCategory(category) && size && color);
}

/** Of a type that it has no name for, the question of any type that is most like those that the prompt quotes. */
function questionOfScene(prompt: GenerationPrompt, random: SeededRandom, scene: PartialScene) {
  const { questionType, exampleQuestions, quoted } = prompt;
  const isKnown = quoted.length === 0 || (QUESTION_TYPES as readonly string[]).includes(questionType);
  const candidates = [0, 1, 2].flatMap((attempt) =>
    isKnown
      ? (askQuestion(questionType, scene, random.fork(attempt)) ?? [])
      : QUESTION_TYPES.flatMap((type) => askQuestion(type, scene, random.fork(`${type} ${attempt}`)) ?? []),
  );
  return mostSimilar(candidates, isKnown ? exampleQuestions : [...exampleQuestions, ...quoted]);
}

/** In-context examples guide a teacher: of its possible questions it asks the most similar one. */
function mostSimilar<T extends { question: string }>(
  candidates: readonly T[],
  examples: readonly string[],
): T | undefined {
  const exampleWords = examples.map(wordsOf);
  const similarity = ({ question }: T) => {
    const words = wordsOf(question);
    return Math.max(0, ...exampleWords.map((others) => shared(words, others)));
  };
  return candidates.reduce<T | undefined>(
    (best, candidate) => (best === undefined || similarity(candidate) > similarity(best) ? candidate : best),
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

// GPT-4 puts boxes behind the objects it names, as the prompt allows; so do half of these answers.
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

// One of some dozens of ways to ask about a scene is the given question.
const attempts = 60;

/**
 * Answers a question from the facts: makes questions about the scene until one is the same, whose answer is known then.
 * Without facts, or for a question that it would never ask, it guesses, the same each time.
 */
function answerQuestion(prompt: AnswerPrompt, { seed, seen }: Pick<AnswerOptions, 'seed' | 'seen'>): string {
  const random = seededRandom(String(seed)).fork(`${prompt.question} ${prompt.choices.join(' ')}`);
  const scene = seen ? seen.scene : prompt.captions.length > 0 ? sceneOf(prompt) : undefined;
  const known = scene && (lookUp(prompt, scene) ?? (seen ? undefined : lookUpInFacts(prompt, scene)));
  const place = known === undefined ? random.integer(Math.max(1, prompt.choices.length)) : known;
  const reason =
    known === undefined ? 'It seems the most likely.' : seen ? 'The picture shows it.' : 'The facts say so.';
  return `${reason}\nAnswer: (${'ABCDEFGH'[place]})`;
}

/** The same for a question without choices; without facts it knows nothing. */
function answerInWords(prompt: AnswerPrompt, { seen }: Pick<AnswerOptions, 'seen'>): string {
  const scene = seen ? seen.scene : prompt.captions.length > 0 ? sceneOf(prompt) : undefined;
  const known = scene && (wordsFromScene(prompt, scene) ?? (seen ? undefined : wordsFromFacts(prompt, scene)));
  if (known === undefined) return 'Nothing tells.\nAnswer: none';
  return `${seen ? 'The picture shows it.' : 'The facts say so.'}\nAnswer: ${known}`;
}

function wordsFromScene(prompt: AnswerPrompt, scene: PartialScene): string | undefined {
  const [asked] = sameQuestions(prompt, scene);
  return asked?.choices[asked.correctChoiceIndex];
}

function wordsFromFacts(prompt: AnswerPrompt, scene: PartialScene): string | undefined {
  if (isOfDemo(scene)) return undefined;
  return answerAboutPhoto(prompt.question, readPhoto(prompt), seededRandom('look up'))[0];
}

function lookUp(prompt: AnswerPrompt, scene: PartialScene): number | undefined {
  for (const { choices, correctChoiceIndex } of sameQuestions(prompt, scene)) {
    const place = prompt.choices.indexOf(choices[correctChoiceIndex] as string);
    if (place >= 0) return place;
  }
  return undefined;
}

/** The questions about a scene in the words of the given one. */
function* sameQuestions({ question }: AnswerPrompt, scene: PartialScene) {
  const random = seededRandom('look up');
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    for (const type of QUESTION_TYPES) {
      const asked = askQuestion(type, scene, random.fork(`${type} ${attempt}`));
      if (asked?.question === question) yield asked;
    }
  }
}

function lookUpInFacts(prompt: AnswerPrompt, scene: PartialScene): number | undefined {
  if (isOfDemo(scene)) return undefined;
  const answers = answerAboutPhoto(prompt.question, readPhoto(prompt), seededRandom('look up'));
  const place = prompt.choices.findIndex((choice) => answers.includes(choice));
  return place < 0 ? undefined : place;
}

/** Says what was confusing, or adds each complaint as a rule to the prompt, after the existing rules. */
function answerRevision({ kind, prompt, complaints }: RevisionPrompt): string {
  if (kind === 'diagnose') {
    return ['No rule of the prompt speaks of this:', ...complaints.map((complaint) => `- ${complaint}`)].join('\n');
  }
  const lines = prompt.split('\n');
  const last = lastRule(lines);
  const rules = complaints.map((complaint, index) => `${last.number + index + 1}. ${asSentence(complaint)}`);
  const revised = [...lines.slice(0, last.end), ...rules, ...lines.slice(last.end)].join('\n');
  return `<prompt>\n${revised}\n</prompt>`;
}

/** The last numbered line, and where it ends: a rule may continue on indented lines. */
function lastRule(lines: readonly string[]): { number: number; end: number } {
  const start = lines.findLastIndex((line) => /^\d+\. /.test(line));
  if (start < 0) return { number: 0, end: lines.length };
  let end = start + 1;
  while (/^\s+\S/.test(lines[end] ?? '')) end += 1;
  return { number: Number.parseInt(lines[start] as string, 10), end };
}

function asSentence(text: string): string {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

// The prompt has places as shares; a scene has boxes of whole numbers.
const side = 1000;

/** The scene that a prompt describes. */
function sceneOf({ captions, boxes }: ImageFacts): PartialScene {
  const pixels = boxes.map(({ category, edges: [left, top, right, bottom] }) => ({
    category,
    box: [left, top, right - left, bottom - top].map((share) => Math.round(share * side)) as [
      number,
      number,
      number,
      number,
    ],
  }));
  return sceneFromAnnotations({ captions, boxes: pixels, width: side, height: side });
}
