/**
 * Benchmarks whose questions are put in the words of their authors, and whose written answers are scored by the authors' rules.
 * Each says how its records are read, asked and scored; the rest is here.
 */
import { hashBytes } from '../../core/hash.ts';
import type { ImageId } from '../../core/images/image-id.ts';
import { keepImage } from '../../core/images/keep-image.ts';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { imageFolder } from '../../datasets/image-folder.ts';
import type { ImageOfQuestion } from '../../datasets/own-questions.ts';
import { LETTERS, rankedQuestion } from '../../datasets/question-text.ts';
import {
  type AnsweredQuestion,
  type Benchmark,
  type BenchmarkQuestion,
  type BenchmarkSource,
  type Measures,
  type QuestionScore,
  type QuestionSettings,
  requireImageFolder,
} from './benchmark.ts';

/** One record of a benchmark's file. */
export interface QuestionRecord {
  /** Unique within the file. */
  id: string;
  /** Absolute paths, in the order that the question shows them; none for a question in words alone. */
  images: readonly string[];
  /** As the file has it. */
  question: string;
  /** What is asked about before the question, such as a hint. */
  context?: string | undefined;
  choices?: readonly string[] | undefined;
  /** The letters of the choices, where they are others than A, B and so on without a gap. */
  letters?: readonly string[] | undefined;
  /** Index of the right choice; undefined in a file without answers. */
  correct?: number | undefined;
  /** References of a short answer; none in a file without answers. */
  answers?: readonly string[] | undefined;
  /** Grouping → group: each gets a score of its own. */
  groups?: Record<string, string> | undefined;
  /** What else the score depends on, such as the pair that a question belongs to. */
  facts?: Readonly<Record<string, string>> | undefined;
  /** The image's id, for a benchmark about images that have ids, such as COCO's. */
  imageId?: ImageId | undefined;
}

export type WrittenQuestion = Omit<QuestionRecord, 'images'> & BenchmarkQuestion;
export type WrittenAnswer = AnsweredQuestion<WrittenQuestion>;

/** Where an image is: see `ImageOfQuestion`; or the id of one in the folder of images. */
export type ImagePlace = ImageOfQuestion | { id: ImageId };

/** What a benchmark reads its records from. */
export interface RecordSource {
  file: string;
  limit: number | undefined;
  settings: QuestionSettings;
  /** The path of an image; one that the file holds is stored, but by a check. */
  placeOf(image: ImagePlace): Promise<string>;
}

export interface WrittenDefinition
  extends Pick<
    Benchmark<WrittenQuestion>,
    'title' | 'downloads' | 'officialFiles' | 'contentFiles' | 'combine' | 'takesQuestionSettings'
  > {
  /** The words of the question, as the authors put it. */
  words(question: WrittenQuestion): string;
  maximumNewTokens: number | ((question: WrittenQuestion) => number);
  /** Whether choices can be ranked, too. */
  ranks?: boolean;
  /** The records in the order of the file; those beyond the limit are not used. */
  read(source: RecordSource): AsyncIterable<QuestionRecord>;
  /** The answers to questions whose right ones are known. */
  score(answered: readonly WrittenAnswer[]): Measures;
}

/** The benchmark of a definition. */
export function writtenBenchmark(definition: WrittenDefinition): Benchmark<WrittenQuestion> {
  const { title, downloads, officialFiles, contentFiles, combine, takesQuestionSettings, words, ranks } = definition;
  const written = (question: WrittenQuestion) => {
    const { maximumNewTokens: most } = definition;
    const generate = { question: words(question), maximumNewTokens: typeof most === 'number' ? most : most(question) };
    return { question: generate.question, answerStart: '', answers: [], generate };
  };
  return {
    title,
    answerModes: ranks ? ['generated', 'ranked'] : ['generated'],
    downloads,
    ...(officialFiles && { officialFiles }),
    ...(contentFiles && { contentFiles }),
    ...(combine && { combine }),
    ...(takesQuestionSettings && { takesQuestionSettings }),

    read: (source) => readRecords(definition, source, (content) => keepImage(content, source.extractedImages)),

    async check(source) {
      const held = new Set<string>();
      const questions = await readRecords(definition, source, async (content) => {
        const name = hashBytes(content);
        held.add(name);
        return name;
      });
      const images = questions.flatMap(({ image = '', laterImages = [] }) => [image, ...laterImages]);
      return { questions: questions.length, images: images.filter((image) => image !== '' && !held.has(image)) };
    },

    ask(question, mode) {
      const { choices } = question;
      if (mode === 'generated' || choices === undefined) return written(question);
      if (isYesOrNo(choices)) return { question: words(question), answerStart: '', answers: [...choices] };
      const context = question.context === undefined ? '' : `${question.context}\n`;
      return rankedQuestion(`${context}${question.question}`, choices);
    },

    content: ({ question, choices = [], answers, imageId }) => ({
      question,
      choices,
      answers,
      ...(imageId !== undefined && { imageId }),
    }),

    score: (answered) => {
      const known = answered.filter(
        ({ question: { correct, answers = [] } }) => correct !== undefined || answers.length > 0,
      );
      return known.length === 0 ? {} : definition.score(known);
    },
  };
}

/** The choices of a question that asks for one of the two words. */
export const yesAndNo = ['Yes', 'No'] as const;

function isYesOrNo(choices: readonly string[]): boolean {
  return choices.length === 2 && choices.every((choice, index) => choice === yesAndNo[index]);
}

/** What the model wrote; of a ranked choice, what would stand for it: its letter, or the word. */
export function answerOf({ question: { choices = [], letters = LETTERS }, choice, text }: WrittenAnswer): string {
  if (text !== undefined) return text;
  if (choice === undefined) return '';
  return isYesOrNo(choices) ? (choices[choice] as string) : (letters[choice] as string);
}

/** The letter of the right choice. */
export function rightLetter({ correct = 0, letters = LETTERS }: Pick<QuestionRecord, 'correct' | 'letters'>): string {
  return letters[correct] as string;
}

/** A list of scores, one a question, by a function of the question and its answer: 0 to 1, or whether it is right. */
export function scoreEach(
  answered: readonly WrittenAnswer[],
  score: (question: WrittenQuestion, answer: string) => number | boolean,
): QuestionScore[] {
  return answered.map((one) => ({
    id: one.question.id,
    score: Number(score(one.question, answerOf(one))),
    ...(one.question.groups && { groups: one.question.groups }),
  }));
}

/** Scores that several questions have together: 1 where all of them are right, such as both questions about an image. */
export function scoreTogether(
  scores: readonly { key: string; right: boolean; groups?: Record<string, string> | undefined }[],
): QuestionScore[] {
  const sets = new Map<string, QuestionScore>();
  for (const { key, right, groups } of scores) {
    const known = sets.get(key);
    if (known === undefined) sets.set(key, { id: key, score: Number(right), ...(groups && { groups }) });
    else if (!right) known.score = 0;
  }
  return [...sets.values()];
}

async function readRecords(
  { read }: WrittenDefinition,
  source: Omit<BenchmarkSource, 'extractedImages'>,
  keep: (content: Uint8Array) => Promise<string>,
): Promise<WrittenQuestion[]> {
  const { file, limit, questions: settings = {} } = source;
  let inFolder = source.imageFile;
  const placeOf = async (image: ImagePlace) => {
    if ('content' in image) return keep(image.content);
    const folder = requireImageFolder(source);
    if ('path' in image) return joinInside(folder, image.path, file);
    inFolder ??= imageFolder(folder).fileOf;
    return inFolder(image.id);
  };
  const found: WrittenQuestion[] = [];
  const numberOf = new Map<string, number>();
  let number = 0;
  for await (const { images: shown, ...record } of read({
    file,
    limit,
    settings,
    placeOf,
  })) {
    if (found.length === limit) break;
    number += 1;
    const earlier = numberOf.get(record.id);
    if (earlier !== undefined) {
      const problem = `the id '${record.id}' of record ${number} is also that of record ${earlier}`;
      throw new InputError({ file, field: 'id', problem, remedy: 'Download the file again' });
    }
    numberOf.set(record.id, number);
    const [image, ...laterImages] = shown;
    found.push({ ...record, ...(image !== undefined && { image }), ...(laterImages.length > 0 && { laterImages }) });
  }
  if (found.length > 0) return found;
  throw new InputError({ file, problem: 'has no questions', remedy: 'Name a file with at least one' });
}
