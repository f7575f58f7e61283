import { quotedIn } from './wording/propose.ts';

/** What the teacher reads from a prompt: everything that it answers from. */
export type ReadPrompt =
  | GenerationPrompt
  | ClassificationPrompt
  | DiscoveryPrompt
  | MergePrompt
  | AnswerPrompt
  | RevisionPrompt
  | JudgePrompt
  | { kind: 'describe' }
  | { kind: 'other' };

/** What a prompt says about an image; empty when it says nothing. */
export interface ImageFacts {
  captions: string[];
  /** Edges as shares of the image's width and height. */
  boxes: { category: string; edges: [left: number, top: number, right: number, bottom: number] }[];
}

/** A prompt that asks for a question about an image (`configs/prompts/generate-v1.md`). */
export interface GenerationPrompt extends ImageFacts {
  kind: 'generate';
  questionType: string;
  /** The wordings that the type's explanation quotes. */
  quoted: string[];
  /** The questions of the in-context examples. */
  exampleQuestions: string[];
  /** Whether the answer is to be a few words, without choices (`configs/prompts/generate-short-v1.md`). */
  isShort: boolean;
}

/** A prompt that asks for the types of questions (`configs/prompts/classify-v1.md`). */
export interface ClassificationPrompt {
  kind: 'classify';
  types: { name: string; explanation: string }[];
  questions: { number: number; question: string }[];
}

/** A prompt that asks for types of answered questions (`configs/prompts/discover-types-v1.md`). */
export interface DiscoveryPrompt {
  kind: 'discover';
  questions: { question: string; answer: string }[];
  known: ClassificationPrompt['types'];
  maximum: number;
}

/** A prompt that asks to merge proposed types (`configs/prompts/merge-types-v1.md`). */
export interface MergePrompt {
  kind: 'merge';
  types: ClassificationPrompt['types'];
  maximum: number;
}

/** A prompt that asks for the answer of a question (`configs/prompts/verify-v1.md` and its like). */
export interface AnswerPrompt extends ImageFacts {
  kind: 'answer';
  question: string;
  /** None for a short answer. */
  choices: string[];
}

/** A prompt that asks for the score of a written answer (`configs/prompts/judge-v1.md`). */
export interface JudgePrompt {
  kind: 'judge';
  references: string[];
  answer: string;
}

/** A prompt that asks what was confusing in another prompt, or for a better one (`configs/prompts/revise-v1.md`). */
export interface RevisionPrompt {
  kind: 'diagnose' | 'revise';
  /** The prompt under review. */
  prompt: string;
  /** A person's complaints about the answers. */
  complaints: string[];
}

/**
 * Finds out what a prompt asks for by its headings, and reads the facts below them.
 *
 * @param hasImage whether an image goes with it, so that it need not have captions
 */
export function readPrompt(text: string, hasImage = false): ReadPrompt {
  // The prompt under review has headings of its own, so this comes first.
  const revision = readRevision(text);
  if (revision) return revision;
  const sections = splitSections(text);
  const questions = sections.get('questions');
  const types = sections.get('question types');
  if (questions !== undefined && types !== undefined) {
    return { kind: 'classify', types: readTypes(types), questions: readNumbered(questions) };
  }
  const answered = sections.get('answered questions');
  const maximum = readMaximum(sections.get('task') ?? '');
  if (answered !== undefined) {
    const known = readTypes(sections.get('known types') ?? '');
    return { kind: 'discover', questions: readAnswered(answered), known, maximum };
  }
  const proposed = sections.get('proposed types');
  if (proposed !== undefined) return { kind: 'merge', types: readTypes(proposed), maximum };
  const graded = sections.get('answer to grade');
  if (graded !== undefined) {
    const references = lines(sections.get('right answers') ?? '').map((line) => line.replace(/^- /, ''));
    return { kind: 'judge', references, answer: graded.trim() };
  }
  const captions = sections.get('captions');
  const facts: ImageFacts = {
    captions: lines(captions ?? '').map((line) => line.replace(/^- /, '')),
    boxes: lines(sections.get('objects') ?? '').flatMap((line) => readBox(line) ?? []),
  };
  const question = sections.get('question to answer');
  if (question !== undefined) {
    const choices = lines(sections.get('choices') ?? '').map((line) => line.replace(/^\([A-Z]\) /, ''));
    // An instruction about the form of a short answer stands on a line of its own.
    const [asked = ''] = choices.length > 0 ? [question.trim()] : lines(question);
    return { kind: 'answer', question: asked, choices, ...facts };
  }
  const type = sections.get('question type');
  if (hasImage && /"facts":.*"boxes":/.test(sections.get('answer format') ?? '')) return { kind: 'describe' };
  if (type === undefined || (captions === undefined && !hasImage)) return { kind: 'other' };
  return {
    kind: 'generate',
    questionType: (type.split(':')[0] ?? '').trim().replaceAll(' ', '_').toLowerCase(),
    quoted: quotedIn(type),
    ...facts,
    isShort: !/^Choices: /m.test(sections.get('answer format') ?? 'Choices: '),
    exampleQuestions: lines(sections.get('examples') ?? '').flatMap((line) => /^Question: (.*)$/.exec(line)?.[1] ?? []),
  };
}

function readRevision(text: string): RevisionPrompt | undefined {
  const prompt = /<prompt>\n([\s\S]*?)\n<\/prompt>/.exec(text)?.[1];
  const verdicts = /<verdicts>\n([\s\S]*?)\n<\/verdicts>/.exec(text)?.[1];
  if (prompt === undefined || verdicts === undefined) return undefined;
  const complaints = lines(verdicts).flatMap((line) => /^- (?:bad|in general): (.+)$/.exec(line)?.[1] ?? []);
  return { kind: text.includes('<diagnosis>') ? 'revise' : 'diagnose', prompt, complaints };
}

function splitSections(text: string): Map<string, string> {
  const pieces = text.split(/^## (.+)$/m);
  const sections = new Map<string, string>();
  for (let index = 1; index < pieces.length; index += 2) {
    sections.set((pieces[index] as string).trim().toLowerCase(), pieces[index + 1] as string);
  }
  return sections;
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function readBox(line: string): GenerationPrompt['boxes'][number] | undefined {
  const match = /^(.+): \[([^\]]+)\]$/.exec(line);
  const numbers = match?.[2]?.split(',').map(Number);
  if (!match || numbers?.length !== 4 || numbers.some((number) => !Number.isFinite(number))) return undefined;
  const [left = 0, top = 0, right = 0, bottom = 0] = numbers;
  return { category: match[1] as string, edges: [left, top, right, bottom] };
}

function readTypes(text: string): ClassificationPrompt['types'] {
  return lines(text).flatMap((line) => {
    const match = /^- ([\w-]+): ?(.*)$/.exec(line);
    return match ? { name: match[1] as string, explanation: match[2] as string } : [];
  });
}

function readMaximum(task: string): number {
  return Number(/at\s+most (\d+) types/.exec(task)?.[1] ?? Number.POSITIVE_INFINITY);
}

function readAnswered(text: string): DiscoveryPrompt['questions'] {
  return readNumbered(text).map(({ question: line }) => {
    const match = /^(.*) \(right answer: (.*); the model's: .*\)$/.exec(line);
    return { question: match?.[1] ?? line, answer: match?.[2] ?? '' };
  });
}

function readNumbered(text: string): ClassificationPrompt['questions'] {
  return lines(text).flatMap((line) => {
    const match = /^(\d+)\. (.+)$/.exec(line);
    return match ? { number: Number(match[1]), question: match[2] as string } : [];
  });
}
