/**
 * HallusionBench (arXiv 2310.14566; https://github.com/tianyi-lab/HallusionBench), with answers read as VLMEvalKit does without a
 * judge model, and counted as its own `utils.py` does: `aAcc` of all questions, `fAcc` of figures and `qAcc` of questions that
 * are asked about several figures, where all have to be right.
 */
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { readYesOrNo } from '../metrics/short-answers.ts';
import { imageAt, isTsv, listed, readTsvFile } from './record-files.ts';
import {
  answerOf,
  type QuestionRecord,
  type RecordSource,
  scoreEach,
  scoreTogether,
  type WrittenQuestion,
  writtenBenchmark,
  yesAndNo,
} from './written-benchmark.ts';

export const hallusionBench = writtenBenchmark({
  title: 'HallusionBench',
  downloads: {
    HallusionBench: 'Download HallusionBench.json and its images as github.com/tianyi-lab/HallusionBench says',
  },
  ranks: true,
  maximumNewTokens: 128,
  words: ({ question }) => question,

  async *read(source) {
    if (await isTsv(source.file)) yield* readTsv(source);
    else yield* readOfficial(source);
  },

  score(answered) {
    const all = answered.map((one) => {
      const { groups, facts = {} } = one.question;
      const { kind, of, figure, question } = facts;
      return { kind, of, figure, question, groups, right: isHallusionRight(one.question, answerOf(one)) };
    });
    const together = (some: typeof all, key: (one: (typeof all)[0]) => string) =>
      scoreTogether(some.map((one) => ({ ...one, key: key(one) })));
    return {
      aAcc: scoreEach(answered, isHallusionRight),
      fAcc: together(
        all.filter(({ figure, kind }) => !isWithoutFigure(kind, figure)),
        ({ of, figure }) => `${of}/${figure}`,
      ),
      qAcc: together(all, ({ of, question }) => `${of}/${question}`),
    };
  },
});

/** A question that can't be known without the figure: who says neither yes nor no is right about it, too. */
function isWithoutFigure(kind: string | undefined, figure: string | undefined): boolean {
  return kind === 'VS' && figure === '0';
}

function isHallusionRight({ correct, facts = {} }: WrittenQuestion, answer: string): boolean {
  const given = readYesOrNo(answer);
  if (given === undefined) return isWithoutFigure(facts.kind, facts.figure);
  return given === (correct === 0 ? 'yes' : 'no');
}

const number = z.union([z.string().regex(/^\d+$/, 'must be a number'), z.int().nonnegative()]).transform(String);
const recordSchema = z.object({
  category: z.enum(['VD', 'VS']),
  subcategory: z.string().min(1),
  visual_input: number,
  set_id: number,
  figure_id: number,
  question_id: number,
  question: z.string().min(1),
  gt_answer: z.union([z.enum(['0', '1']), z.literal(0), z.literal(1)]).transform(Number),
  filename: z.string().nullable(),
});

/** Some questions have no figure: they are put in words alone. */
async function* readOfficial(source: RecordSource): AsyncGenerator<QuestionRecord> {
  for await (const record of listed(source.file, '', recordSchema)) {
    const { category, subcategory, set_id: set, figure_id: figure, question_id: question, filename } = record;
    const path = filename?.replace(/^\.\//, '');
    yield recordOf({ kind: category, subcategory, set, figure, question }, record.question, {
      images: record.visual_input === '0' ? [] : await imageAt(source, path === undefined ? undefined : { path }),
      correct: 1 - record.gt_answer,
    });
  }
}

/** VLMEvalKit's index ends with kind, subcategory, set, figure and question: `…_VD_illusion_0_1_2`. */
const indexParts = /(?:^|_)(VD|VS)_([^_]+)_(\d+)_(\d+)_(\d+)$/;

async function* readTsv(source: RecordSource): AsyncGenerator<QuestionRecord> {
  for (const { index, images, question: words, answer } of await readTsvFile(source)) {
    const [, kind = '', subcategory = '', set = '', figure = '', question = ''] = indexParts.exec(index) ?? [];
    if (kind === '') {
      const problem = `'${index.slice(0, 100)}' does not end with kind, subcategory, set, figure and question`;
      throw new InputError({ file: source.file, field: 'index', problem, remedy: 'Download the file again' });
    }
    // As VLMEvalKit leaves out what has no image.
    if (images.length === 0) continue;
    const label = answer?.toLowerCase();
    const correct = label === 'yes' ? 0 : label === 'no' ? 1 : undefined;
    yield { ...recordOf({ kind, subcategory, set, figure, question }, words, { images, correct }), id: index };
  }
}

function recordOf(
  { kind, subcategory, set, figure, question }: Record<'kind' | 'subcategory' | 'set' | 'figure' | 'question', string>,
  words: string,
  { images, correct }: { images: string[]; correct: number | undefined },
): QuestionRecord {
  return {
    id: [kind, subcategory, set, figure, question].join('_'),
    images,
    question: words,
    choices: yesAndNo,
    ...(correct !== undefined && { correct }),
    groups: { category: kind, subcategory: `${kind} ${subcategory}` },
    facts: { kind, figure, question, of: [kind, subcategory, set].join('/') },
  };
}
