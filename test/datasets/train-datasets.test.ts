import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeJson } from '../../src/core/write-file.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { type TrainRecord, trainingSample } from '../../src/datasets/train-dataset.ts';
import { trainDatasets } from '../../src/datasets/train-datasets.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function all(records: AsyncIterable<TrainRecord>): Promise<TrainRecord[]> {
  const list: TrainRecord[] = [];
  for await (const record of records) list.push(record);
  return list;
}

const question = {
  image_id: 9,
  question: 'What color is the cup?',
  choices: ['red', 'blue', 'green', 'white'],
  correct_choice_idx: 1,
  rationales: ['It is blue.', 'The cup is blue, as the sky.'],
  question_type: 'attribute',
};
const asRecord = {
  image: '/images/000000000009.jpg',
  question: question.question,
  choices: question.choices,
  correct: 1,
  rationales: question.rationales,
  questionType: 'attribute',
};

describe('the train datasets', () => {
  it('A-OKVQA gives its questions, under their own ids', async () => {
    const path = join(await temporaryFolder(), 'train.json');
    const rest = { split: 'train', question_id: 'q1', direct_answers: [], difficult_direct_answer: false };
    await writeJson(path, [{ ...question, ...rest }]);
    const records = await all(trainDatasets.aokvqa.read({ name: 'aokvqa', path, images: imageFolder('/images') }));
    expect(records).toEqual([{ id: 'q1', ...asRecord }]);
  });

  it('cc_sbu_align gives requests for descriptions, about the images beside its file', async () => {
    const path = await temporaryFolder();
    await mkdir(join(path, 'image'));
    await writeJson(join(path, 'filter_cap.json'), { annotations: [{ image_id: '2', caption: 'A view.' }] });
    const { read, contentFile } = trainDatasets.cc_sbu_align;
    expect(await all(read({ name: 'cc_sbu_align', path, images: imageFolder('/images') }))).toEqual([
      {
        id: 'cc_sbu_align-2',
        image: join(path, 'image', '2.jpg'),
        request: 'Describe this image in detail.',
        answer: 'A view.',
      },
    ]);
    expect(contentFile?.(path)).toBe(join(path, 'filter_cap.json'));
  });

  it('questions of your own give choices as they are, and the first of several answers', async () => {
    const path = join(await temporaryFolder(), 'questions.json');
    const open = { id: 'o', image: 'a b.jpg', question: 'How many?', answers: ['2', 'two'], type: 'count' };
    const closed = { id: 'c', image: 'x/y.jpg', question: 'Which?', choices: ['cup', 'hat'], answer: 'B' };
    await writeJson(path, [open, { ...closed, image: undefined }, closed]);
    const leftOut: string[] = [];
    const source = { name: 'mine', path, images: imageFolder('/images'), settings: { skipInvalid: true } };
    expect(await all(trainDatasets.questions.read(source, (reason) => leftOut.push(reason)))).toEqual([
      { id: 'o', image: '/images/a b.jpg', question: 'How many?', answer: '2', questionType: 'count' },
      { id: 'c', image: '/images/x/y.jpg', question: 'Which?', choices: ['cup', 'hat'], correct: 1, rationales: [] },
    ]);
    expect(leftOut).toEqual(['image: is missing']);
    await expect(all(trainDatasets.questions.read({ ...source, settings: {} }))).rejects.toThrow('[1].image');
  });

  it('gptvqa gives generated samples, under the name of their file and their place in it', async () => {
    const path = join(await temporaryFolder(), 'DataEngine_round1_data.json');
    await writeJson(
      path,
      [question, question].map((one) => ({ ...one, raw_instructions: 'Question: …' })),
    );
    const { read, nameOf } = trainDatasets.gptvqa;
    expect(nameOf?.(path)).toBe('DataEngine_round1_data');
    expect(await all(read({ name: 'round1', path, images: imageFolder('/images') }))).toEqual([
      { id: 'round1-0', ...asRecord },
      { id: 'round1-1', ...asRecord },
    ]);
  });
});

describe('trainingSample', () => {
  const about = { source: 'aokvqa' };

  it('answers a question with its choice, and with the longest rationale where the format is QMAE', () => {
    const record = { id: 'q1', ...asRecord };
    expect(trainingSample(record, { ...about, format: 'QMA' })).toEqual({
      id: 'q1',
      source: 'aokvqa',
      image: asRecord.image,
      prompt: 'What color is the cup?\n(A) red (B) blue (C) green (D) white\n',
      answer: 'The answer is (B) blue.',
      questionType: 'attribute',
    });
    expect(trainingSample(record, { ...about, format: 'QMAE' }).answer).toBe(
      'The answer is (B) blue. The cup is blue, as the sky.',
    );
  });

  it('takes a request and its answer as they are', () => {
    const record = { id: '1', image: '/1.jpg', request: 'Describe it.', answer: 'A view.' };
    expect(trainingSample(record, { ...about, format: 'QMAE' })).toEqual({
      id: '1',
      source: 'aokvqa',
      image: '/1.jpg',
      prompt: 'Describe it.\n',
      answer: 'A view.',
      kind: 'request',
    });
  });
});
