/** Benchmarks with short answers: for each what its official files look like, how it is asked, and the metric. */

import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { isFolder } from '../../datasets/tables/shards.ts';
import { type MetricName, metricOf, referencesProblem } from '../metrics/index.ts';
import { isSameText } from './choice-rules.ts';
import { idText, imageAt, isTsv, keyed, listed, rows, tsvRecords } from './record-files.ts';
import {
  type QuestionRecord,
  type RecordSource,
  scoreEach,
  type WrittenAnswer,
  type WrittenDefinition,
  writtenBenchmark,
} from './written-benchmark.ts';

const shortAnswer = 'Answer the question using a single word or phrase.';
const orUnanswerable = `When the provided information is insufficient, respond with 'Unanswerable'.\n${shortAnswer}`;

interface AnswerDefinition
  extends Pick<WrittenDefinition, 'title' | 'downloads' | 'contentFiles' | 'maximumNewTokens'> {
  instruction: string;
  /** Whether the question is put in small letters with a capital first. */
  capitalizes?: boolean;
  metric: MetricName | { measure: string; score(answer: string, references: readonly string[]): number };
  read(source: RecordSource): AsyncIterable<QuestionRecord>;
}

/** VLMEvalKit's layout is read for each, too. */
function answerBenchmark({ instruction, capitalizes, metric, read, ...rest }: AnswerDefinition) {
  const score = (answered: readonly WrittenAnswer[]) => {
    if (typeof metric !== 'string') {
      return { [metric.measure]: scoreEach(answered, ({ answers = [] }, answer) => metric.score(answer, answers)) };
    }
    const scoresOf = ({ answers = [] }: Pick<QuestionRecord, 'answers'>, answer: string) =>
      Object.entries(metricOf(metric).score(answer, answers))[0] as [string, number];
    const [measure] = scoresOf({ answers: [] }, '');
    return { [measure]: scoreEach(answered, (question, answer) => scoresOf(question, answer)[1]) };
  };
  return writtenBenchmark({
    ...rest,
    words: ({ question }) => `${capitalizes ? capitalized(question) : question}\n${instruction}`,
    async *read(source) {
      for await (const record of (await isTsv(source.file)) ? tsvRecords(source) : read(source)) {
        if (typeof metric === 'string') requireReferences(source.file, metric, record);
        yield record;
      }
    },
    score,
  });
}

/** @throws InputError for references that the metric can not score by */
export function requireReferences(file: string, metric: MetricName, { id, answers = [] }: QuestionRecord): void {
  const problem = answers.length === 0 ? undefined : referencesProblem(metricOf(metric), answers);
  if (problem === undefined) return;
  throw new InputError({
    file,
    field: 'answers',
    problem: `question ${id} ${problem}`,
    remedy: 'Download the file again',
  });
}

/** Python's `text.capitalize()`. */
function capitalized(text: string): string {
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('').toLowerCase();
}

const answersSchema = z.array(
  z.union([z.string(), z.object({ answer: z.string() }).transform(({ answer }) => answer)]),
);

/** GQA (arXiv 1902.09506), `testdev_balanced_questions.json`: a question's type by its structure and by its meaning. */
export const gqa = answerBenchmark({
  title: 'GQA',
  downloads: { GQA: 'Download questions1.2 and the images as cs.stanford.edu/people/dorarad/gqa says, into GQA' },
  maximumNewTokens: 16,
  instruction: shortAnswer,
  metric: { measure: 'accuracy', score: (answer, [reference = '']) => Number(isSameText(answer, reference)) },
  async *read(source) {
    const types = z.object({ structural: z.string(), semantic: z.string() }).partial().optional();
    const schema = z.object({
      question: z.string().min(1),
      imageId: z.string().min(1),
      answer: z.string().optional(),
      types,
    });
    for (const [id, { question, imageId, answer, types: kinds }] of await keyed(source.file, schema)) {
      const groups = Object.fromEntries(Object.entries(kinds ?? {}).filter(([, kind]) => kind !== undefined));
      const images = await imageAt(source, { path: `${imageId}.jpg` });
      yield { id, images, question, groups, answers: answer === undefined ? [] : [answer] };
    }
  },
});

/** TextVQA (arXiv 1904.08920), `TextVQA_0.5.1_val.json`. */
export const textVqa = answerBenchmark({
  title: 'TextVQA',
  downloads: { TextVQA: 'Download TextVQA_0.5.1_val.json and train_val_images.zip as textvqa.org says, into TextVQA' },
  maximumNewTokens: 32,
  instruction: shortAnswer,
  capitalizes: true,
  metric: 'textvqa-accuracy',
  async *read(source) {
    const schema = z.object({
      question_id: idText,
      image_id: z.string().min(1),
      question: z.string().min(1),
      answers: answersSchema.optional(),
    });
    for await (const { question_id: id, image_id: image, question, answers = [] } of listed(
      source.file,
      'data',
      schema,
    )) {
      yield { id, images: await imageAt(source, { path: `${image}.jpg` }), question, answers };
    }
  },
});

const vqaQuestion = z.object({ question_id: idText, image_id: z.int().nonnegative(), question: z.string().min(1) });
const vqaAnnotation = z.object({
  question_id: idText,
  question_type: z.string(),
  answer_type: z.string(),
  answers: answersSchema,
});

/** The annotations beside the questions: `v2_mscoco_val2014_annotations.json` for `v2_OpenEnded_mscoco_val2014_questions.json`. */
function annotationsOf(file: string): string {
  return joinInside(dirname(file), basename(file).replace('OpenEnded_', '').replace('_questions', '_annotations'));
}

/** Questions and annotations as VQA publishes them; without annotations beside them the questions have no answers. */
async function* vqaRecords(source: RecordSource): AsyncGenerator<QuestionRecord> {
  const [, annotations] = await vqaFiles(source.file);
  const answered = new Map<string, z.output<typeof vqaAnnotation>>();
  if (annotations !== undefined) {
    for await (const one of listed(annotations, 'annotations', vqaAnnotation)) answered.set(one.question_id, one);
  }
  for await (const { question_id: id, image_id: imageId, question } of listed(source.file, 'questions', vqaQuestion)) {
    const known = answered.get(id);
    if (annotations !== undefined && known === undefined) {
      const problem = `has no answers to question ${id} of ${basename(source.file)}`;
      throw new InputError({ file: annotations, field: 'annotations', problem, remedy: 'Download both files again' });
    }
    const groups = known && { 'answer type': known.answer_type, 'question type': known.question_type };
    yield {
      id,
      images: await imageAt(source, { id: imageId }),
      imageId,
      question,
      answers: known?.answers ?? [],
      groups,
    };
  }
}

async function vqaFiles(file: string): Promise<string[]> {
  const annotations = annotationsOf(file);
  const names = annotations === file ? [] : await readdir(dirname(file)).catch(() => []);
  return names.includes(basename(annotations)) ? [file, annotations] : [file];
}

/** VQAv2 (arXiv 1612.00837; https://visualqa.org). */
export const vqaV2 = answerBenchmark({
  title: 'VQAv2',
  downloads: {
    VQAv2: 'Download questions and annotations of VQA v2 and COCO val2014 as visualqa.org says, into VQAv2',
  },
  contentFiles: vqaFiles,
  maximumNewTokens: 16,
  instruction: shortAnswer,
  metric: 'vqa-accuracy',
  read: vqaRecords,
});

/** OK-VQA (arXiv 1906.00067; https://okvqa.allenai.org), in VQA's layout. */
export const okVqa = answerBenchmark({
  title: 'OK-VQA',
  downloads: { 'OK-VQA': 'Download questions, annotations and COCO val2014 as okvqa.allenai.org says, into OK-VQA' },
  contentFiles: vqaFiles,
  maximumNewTokens: 32,
  instruction: orUnanswerable,
  metric: 'textvqa-accuracy',
  read: vqaRecords,
});

/** ChartQA (arXiv 2203.10244; https://github.com/vis-nlp/ChartQA): `test_human.json`, `test_augmented.json`, or their folder. */
export const chartQa = answerBenchmark({
  title: 'ChartQA',
  downloads: { ChartQA: 'Download ChartQA Dataset/test as github.com/vis-nlp/ChartQA says, into ChartQA' },
  contentFiles: chartQaFiles,
  maximumNewTokens: 16,
  instruction: 'Answer the question with a single word.',
  metric: 'relaxed-accuracy',
  async *read(source) {
    const schema = z.object({ imgname: z.string().min(1), query: z.string().min(1), label: idText });
    for (const file of await chartQaFiles(source.file)) {
      const [split = 'all'] = /human|augmented/.exec(basename(file)) ?? [];
      let number = 0;
      for await (const { imgname: image, query, label } of listed(file, '', schema)) {
        number += 1;
        const images = await imageAt(source, { path: image });
        yield { id: `${split}-${number}`, images, question: query, answers: [label], groups: { split } };
      }
    }
  },
});

async function chartQaFiles(file: string): Promise<string[]> {
  if (!(await isFolder(file))) return [file];
  const names = (await readdir(file)).filter((name) => /_(?:human|augmented)\.json$/.test(name)).sort();
  return names.map((name) => joinInside(file, name));
}

/** DocVQA (arXiv 2007.00398; https://www.docvqa.org), `val_v1.0_withQT.json`. */
export const docVqa = answerBenchmark({
  title: 'DocVQA',
  downloads: { DocVQA: 'Download val_v1.0_withQT.json and the documents as rrc.cvc.uab.es (DocVQA) says, into DocVQA' },
  maximumNewTokens: 32,
  instruction: shortAnswer,
  metric: 'anls',
  async *read(source) {
    const schema = z.object({
      questionId: idText,
      question: z.string().min(1),
      image: z.string().min(1),
      answers: answersSchema.optional(),
      question_types: z.array(z.string()).optional(),
    });
    for await (const record of listed(source.file, 'data', schema)) {
      const { questionId: id, question, image, answers = [], question_types: [kind] = [] } = record;
      const groups = kind === undefined ? {} : { groups: { 'question type': kind } };
      yield { id, images: await imageAt(source, { path: image }), question, answers, ...groups };
    }
  },
});

/** VizWiz-VQA (arXiv 1802.08218; https://vizwiz.org), `val.json`. */
export const vizWiz = answerBenchmark({
  title: 'VizWiz-VQA',
  downloads: { VizWiz: 'Download Annotations/val.json and val.zip as vizwiz.org says, into VizWiz' },
  maximumNewTokens: 32,
  instruction: orUnanswerable,
  capitalizes: true,
  metric: 'textvqa-accuracy',
  async *read(source) {
    const schema = z.object({
      image: z.string().min(1),
      question: z.string().min(1),
      answers: answersSchema.optional(),
      answer_type: z.string().optional(),
    });
    for await (const { image, question, answers = [], answer_type: kind } of rows(source.file, schema)) {
      const groups = kind === undefined ? {} : { groups: { 'answer type': kind } };
      yield { id: image, images: await imageAt(source, { path: image }), question, answers, ...groups };
    }
  },
});
