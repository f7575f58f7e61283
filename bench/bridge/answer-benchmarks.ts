/** Benchmarks of the bridge with short answers. */
import type { BridgeBenchmark, Row } from './bridge-benchmark.ts';
import { askCount, askShort, type Drawn, pickCategory, rightChoice } from './draws.ts';

const numberOf = (one: Drawn) => 1000 + one.number;
const plainName = ({ image }: Drawn) => image.fileName.replace('.jpg', '');

const gqa: BridgeBenchmark = {
  name: 'gqa',
  task: 'gqa/gqa.yaml',
  split: 'testdev',
  metric: 'exact_match',
  measure: 'accuracy',
  changes: { keys: { process_docs: null }, why: 'it joins images of another data set; here each record has its own' },
  rows: (drawn) =>
    drawn.map((one) => {
      const asked = askShort(one);
      const types = { structural: 'query', semantic: one.number % 2 === 0 ? 'attr' : 'obj', detailed: 'made' };
      const ids = { id: String(numberOf(one)), imageId: plainName(one), image: one.image.fileName };
      return { ...ids, question: asked.question, answer: rightChoice(asked), isBalanced: true, types };
    }),
  idOf: ({ id }) => String(id),
  official: (rows) => ({
    'testdev_balanced_questions.json': Object.fromEntries(
      rows.map(({ id, imageId, question, answer, isBalanced, types }) => {
        return [id, { imageId, question, answer, isBalanced, types }];
      }),
    ),
  }),
  file: 'testdev_balanced_questions.json',
};

const textVqa: BridgeBenchmark = {
  name: 'textvqa',
  task: 'textvqa/textvqa_val.yaml',
  split: 'validation',
  metric: 'exact_match',
  measure: 'vqaAccuracy',
  rows: (drawn) =>
    drawn.map((one) => {
      const { question, directAnswers: answers } = askShort(one);
      const ids = { image_id: plainName(one), question_id: numberOf(one), image: one.image.fileName };
      return { ...ids, question, answers, ocr_tokens: ['none'], set_name: 'val' };
    }),
  idOf: ({ question_id: id }) => String(id),
  official: (rows) => ({
    'TextVQA_0.5.1_val.json': { dataset_type: 'val', data: rows.map(({ image: _, ...record }) => record) },
  }),
  file: 'TextVQA_0.5.1_val.json',
};

/** What VQA publishes: the questions, and the answers of ten people in a file of their own. */
function vqaFiles(rows: readonly Row[], questions: string, annotations: string): Record<string, unknown> {
  const numbered = (answers: unknown) =>
    (answers as (string | { answer: string })[]).map((one, index) => {
      const answer = typeof one === 'string' ? one : one.answer;
      return { answer, answer_confidence: 'yes', answer_id: index + 1 };
    });
  return {
    [questions]: {
      questions: rows.map(({ question_id, image_id, question }) => ({ question_id, image_id, question })),
    },
    [annotations]: {
      annotations: rows.map(({ question_id, image_id, question_type, answer_type, answers }) => {
        return { question_id, image_id, question_type, answer_type, answers: numbered(answers) };
      }),
    },
  };
}

function vqaRow(one: Drawn): Omit<Row, 'answers'> & { answers: string[] } {
  const { question, directAnswers: answers } = askShort(one);
  const about = { question_type: question.split(' ')[0] as string, answer_type: 'other' };
  const ids = { question_id: numberOf(one), image_id: one.image.id, image: one.image.fileName };
  return { ...ids, ...about, question, answers };
}

const vqaV2: BridgeBenchmark = {
  name: 'vqav2',
  task: 'vqav2/vqav2_val.yaml',
  split: 'validation',
  metric: 'exact_match',
  measure: 'vqaAccuracy',
  differs: {
    how: 'its vqaEval.py leaves articles and punctuation away only where the ten answers differ; lmms-eval always does',
    isReadAlike: (_, { answers }) => new Set((answers as { answer: string }[]).map(({ answer }) => answer)).size > 1,
  },
  rows: (drawn) =>
    drawn.map((one) => {
      const { answers, ...row } = vqaRow(one);
      const numbered = answers.map((answer, index) => ({ answer, answer_confidence: 'yes', answer_id: index + 1 }));
      return { ...row, image: one.image.fileName, multiple_choice_answer: answers[0], answers: numbered };
    }),
  idOf: ({ question_id: id }) => String(id),
  official: (rows) =>
    vqaFiles(rows, 'v2_OpenEnded_mscoco_val2014_questions.json', 'v2_mscoco_val2014_annotations.json'),
  file: 'v2_OpenEnded_mscoco_val2014_questions.json',
};

const okVqa: BridgeBenchmark = {
  name: 'ok-vqa',
  task: 'ok_vqa/ok_vqa_val2014.yaml',
  split: 'val2014',
  metric: 'exact_match',
  measure: 'vqaAccuracy',
  rows: (drawn) => drawn.map((one) => ({ ...vqaRow(one), image: one.image.fileName })),
  idOf: ({ question_id: id }) => String(id),
  official: (rows) => vqaFiles(rows, 'OpenEnded_mscoco_val2014_questions.json', 'mscoco_val2014_annotations.json'),
  file: 'OpenEnded_mscoco_val2014_questions.json',
};

/** A third is about a thing that is not there. */
const vizWiz: BridgeBenchmark = {
  name: 'vizwiz',
  task: 'vizwiz_vqa/vizwiz_vqa_val.yaml',
  split: 'val',
  metric: 'exact_match',
  measure: 'vqaAccuracy',
  rows: (drawn) =>
    drawn.map((one) => {
      const { image, random, number } = one;
      const ids = { question_id: image.fileName, image: image.fileName };
      if (number % 3 > 0) {
        const { question, directAnswers: answers } = askShort(one);
        return { ...ids, question, answers, category: 'other' };
      }
      const answers = Array.from({ length: 10 }, (_, person) => (person < 8 ? 'unanswerable' : 'unsuitable'));
      const question = `What color is the ${pickCategory(image, false, random)}?`;
      return { ...ids, question, answers, category: 'unanswerable' };
    }),
  idOf: ({ image }) => image,
  official: (rows) => ({
    'val.json': rows.map(({ image, question, answers, category: answer_type }) => {
      const given = (answers as string[]).map((answer) => ({ answer, answer_confidence: 'yes' }));
      return { image, question, answers: given, answer_type, answerable: answer_type === 'unanswerable' ? 0 : 1 };
    }),
  }),
  file: 'val.json',
};

const chartQa: BridgeBenchmark = {
  name: 'chartqa',
  task: 'chartqa/chartqa.yaml',
  split: 'test',
  metric: 'relaxed_overall',
  measure: 'relaxedAccuracy',
  rows: (drawn) => {
    const rows = drawn.map((one): Row => {
      const { image, number } = one;
      if (number % 2 === 0) {
        const asked = askCount(image);
        return { type: 'human_test', question: asked.question, answer: rightChoice(asked), image: image.fileName };
      }
      const asked = askShort(one);
      return { type: 'augmented_test', question: asked.question, answer: rightChoice(asked), image: image.fileName };
    });
    // The people's questions first, as the data set of both files has them.
    return rows.sort((one, other) => Number(one.type !== 'human_test') - Number(other.type !== 'human_test'));
  },
  idOf({ type }, number, rows) {
    const before = rows.slice(0, number).filter((row) => row.type === type).length;
    return `${String(type).replace('_test', '')}-${before + 1}`;
  },
  official: (rows) =>
    Object.fromEntries(
      ['human', 'augmented'].map((split) => [
        `test/test_${split}.json`,
        rows
          .filter(({ type }) => type === `${split}_test`)
          .map(({ image: imgname, question: query, answer: label }) => ({ imgname, query, label })),
      ]),
    ),
  file: 'test',
};

const docVqa: BridgeBenchmark = {
  name: 'docvqa',
  task: 'docvqa/docvqa_val.yaml',
  split: 'validation',
  metric: 'anls',
  measure: 'anls',
  rows: (drawn) =>
    drawn.map((one) => {
      const { question, directAnswers } = askShort(one);
      const ids = { questionId: String(numberOf(one)), image: one.image.fileName, docId: one.image.id };
      return { ...ids, question, question_types: ['figure/diagram'], answers: [...new Set(directAnswers)] };
    }),
  idOf: ({ questionId: id }) => String(id),
  official: (rows) => ({
    'val_v1.0_withQT.json': {
      dataset_name: 'SP-DocVQA',
      dataset_split: 'val',
      data: rows.map(({ questionId, ...record }) => ({ questionId: Number(questionId), ...record })),
    },
  }),
  file: 'val_v1.0_withQT.json',
};

export const answerBenchmarks: readonly BridgeBenchmark[] = [gqa, textVqa, vqaV2, okVqa, vizWiz, chartQa, docVqa];
