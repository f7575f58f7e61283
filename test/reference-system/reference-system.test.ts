/**
 * What this program reads, writes and scores, held against the reference system's own code: its dataset class
 * (`AOKVQADataset`), its scorer (`calculate_result`), its query construction (`process`) and its post-processing
 * (`process_data`).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeJson, writeJsonLines } from '../../src/core/write-file.ts';
import { aokvqaTrain } from '../../src/datasets/aokvqa.ts';
import { gptvqa } from '../../src/datasets/engine-data.ts';
import { exportVersion } from '../../src/datasets/export-version.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { type AnswerFormat, type TrainingSample, trainingSample } from '../../src/datasets/train-dataset.ts';
import {
  badCasePrompt,
  collectBadCases,
  type EvaluatedQuestion,
  errorWeights,
} from '../../src/evaluation/bad-cases.ts';
import { aokvqa } from '../../src/evaluation/benchmarks/aokvqa.ts';
import { isRejection } from '../../src/generation/filters.ts';
import { parseAnswer } from '../../src/generation/parse-answer.ts';
import { type AnswerToRefine, refineAnswers } from '../../src/generation/refine.ts';
import { versionedRun } from '../datasets/versioned-run.ts';
import { evaluated } from '../evaluation/questions.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { checkout, expectRecorded, noCheckout, type ReferenceJob, recorded } from './reference-system.ts';

const fidelity = (name: string) => new URL(`../fixtures/fidelity/${name}`, import.meta.url).pathname;
const trainingFiles = [
  'aokvqa_as_extending_md.json',
  'aokvqa_no_split.json',
  'aokvqa_val_correct_choice_twice.json',
  'engine_3_choices.json',
  'engine_as_formats_md.json',
  'engine_empty_choice.json',
  'engine_image_id_text.json',
  'engine_no_question_type.json',
  'engine_no_raw_instructions.json',
  'engine_rationale_description.json',
];
const rawAnswerFiles = ['explanation_letters_after_shuffle.json', 'teacher_answers_reference_keeps_ours_drops.json'];

async function rawAnswers(name: string): Promise<AnswerToRefine[]> {
  return JSON.parse(await readFile(fidelity(name), 'utf8'));
}

/** A version with what refine makes of the raw answers, exported for the reference system. */
async function exportedRound(): Promise<string> {
  const { runRoot, append } = await versionedRun();
  const answers = (await Promise.all(rawAnswerFiles.map(rawAnswers))).flat();
  const { version } = await append(1, refineAnswers({ answers, earlierSamples: [], seed: 1 }).samples);
  const output = join(runRoot, 'export');
  const images = { folder: imageFolder('/images'), path: 'COCO2017/train2017' };
  await exportVersion('reference', { runRoot, version, output, images, answerFormat: 'QMA' });
  return join(output, 'gptvqa', 'DataEngine_round1_data.json');
}

interface ReferenceSample {
  image: string;
  prompt: string;
  text: string;
}

describe('training data', () => {
  const images = imageFolder('/data/train2017');
  const formats = { QMA: 'QM-A', QMAE: 'QM-AE' } as const;

  async function samplesOf(file: string, format: AnswerFormat): Promise<TrainingSample[]> {
    const dataset = file.includes('aokvqa') ? aokvqaTrain : gptvqa;
    const samples = [];
    for await (const record of dataset.read({ name: 'base', path: file, images }))
      samples.push(trainingSample(record, { source: 'base', format }));
    return samples;
  }

  async function expectSame(file: string, results: { [job: string]: ReferenceSample[] }, job: string) {
    for (const format of ['QMA', 'QMAE'] as const) {
      const ours = await samplesOf(file, format);
      const theirs = results[`${job}, ${formats[format]}`];
      expect(
        ours.map(({ image, prompt, answer }) => ({
          image,
          prompt: `${prompt}###Assistant: `,
          text: `${prompt}###Assistant: ${answer}`,
        })),
      ).toEqual(theirs);
    }
  }

  test.each(trainingFiles)('%s: the samples of its dataset class', async (name) => {
    await expectSame(fidelity(name), await recorded('training-data'), name);
  });

  test('an exported version is read by its dataset class: every sample, as it is read here', async () => {
    await expectSame(await exportedRound(), await recorded('training-data'), 'exported version');
  });

  test.skipIf(!checkout)(`the records are what it computes (${noCheckout})`, async () => {
    const files = { ...Object.fromEntries(trainingFiles.map((name) => [name, fidelity(name)])) };
    files['exported version'] = await exportedRound();
    const jobs = Object.entries(files).flatMap(([name, file]) =>
      Object.values(formats).map((format): [string, ReferenceJob] => [
        `${name}, ${format}`,
        { run: 'samples', file, images: images.path, format },
      ]),
    );
    await expectRecorded('training-data', Object.fromEntries(jobs));
  });
});

describe('scores', () => {
  /** Answers every question, with another choice each time. */
  async function answersTo(questions: string) {
    const asked = await aokvqa.read({ file: questions, images: '/data/val2017', extractedImages: '' });
    const answered = asked.map((question, index) => ({
      question,
      choice: (index * 7 + Number(question.image_id)) % question.choices.length,
      losses: question.choices.map(() => 1),
    }));
    const folder = await temporaryFolder();
    await aokvqa.write?.(answered, folder);
    return { answers: join(folder, 'aokvqa_eval.json'), measures: aokvqa.score(answered) };
  }

  async function expectSameScores(record: string, questions: string) {
    const { measures } = await answersTo(questions);
    const percent = (scores: readonly { score: number }[] = []) =>
      (100 * scores.reduce((sum, { score }) => sum + score, 0)) / scores.length;
    const { scores } = await recorded<{ MC: number; DA: number }>(record);
    expect(percent(measures.multipleChoice)).toBeCloseTo(scores?.MC ?? Number.NaN, 9);
    expect(percent(measures.directAnswer)).toBeCloseTo(scores?.DA ?? Number.NaN, 9);
  }

  const few = fidelity('aokvqa_val_correct_choice_twice.json');
  const official = sharedFile('aokvqa/aokvqa_v1p0_val.json');

  test('aokvqa_val_correct_choice_twice.json: its scorer takes our aokvqa_eval.json, with the scores of ours', async () => {
    await expectSameScores('scores', few);
  });

  test.skipIf(!official)(`the same for the official validation file (${noSharedFiles})`, async () => {
    await expectSameScores('scores-of-validation', official as string);
  });

  test.skipIf(!checkout)(`the records are what it computes (${noCheckout})`, async () => {
    const jobOf = async (questions: string): Promise<{ scores: ReferenceJob }> => ({
      scores: { run: 'scores', answers: (await answersTo(questions)).answers, questions },
    });
    await expectRecorded('scores', await jobOf(few));
    if (official) await expectRecorded('scores-of-validation', await jobOf(official));
  });
});

describe('queries', () => {
  const types = ['identity_reasoning', 'image_scene', 'image_quality', 'ocr'];

  /** Bad cases of the first two types; one of the third, too few to draw it; none of the last. */
  function evaluatedQuestions(): EvaluatedQuestion[] {
    return Array.from({ length: 16 }, (_, index) => {
      const [question_id, image_id, question_type] = [`q${index}`, 900 + index, types[index % 4] as string];
      const wrong = index % 4 < 2 || index === 2;
      const image_path = `val2017/${String(image_id).padStart(12, '0')}.jpg`;
      const record = evaluated({ question_id, idx: question_id, image_id, image_path, question_type });
      const prompt = badCasePrompt({ ...record, question: `What is in image ${image_id}?` });
      const right = { model_answer: record.choices[0] as string, model_choice_idx: 0 };
      return { ...record, prompt, ...(!wrong && right) };
    });
  }

  interface Queries {
    queries: { question_type: string; examples: [string, string] }[];
    images: string[];
  }

  test('are made of our bad cases and weights: our examples, our images, the types that we would draw', async () => {
    const badCases = collectBadCases(evaluatedQuestions());
    const { queries } = await recorded<Queries>('queries');
    expect(queries?.queries).toHaveLength(40);
    for (const { question_type, examples } of queries?.queries ?? []) {
      const known = badCases[question_type]?.map(({ prompt }) => prompt);
      expect(known?.length).toBeGreaterThanOrEqual(2);
      expect(known).toEqual(expect.arrayContaining(examples));
    }
    const images = Object.values(badCases).flatMap((cases) => cases.map(({ image_path }) => image_path));
    expect(images).toEqual(expect.arrayContaining(queries?.images ?? ['none']));
  });

  test.skipIf(!checkout)(`the records are what it computes (${noCheckout})`, async () => {
    const folder = await temporaryFolder();
    const [bad_cases, weights] = [join(folder, 'bad_case_aokvqa_classified.json'), join(folder, 'weight.json')];
    await writeJson(bad_cases, collectBadCases(evaluatedQuestions()));
    await writeJson(weights, errorWeights(evaluatedQuestions()));
    await expectRecorded('queries', { queries: { run: 'queries', bad_cases, weights, count: 40 } });
  });
});

describe('post-processing', () => {
  interface ReferenceResult {
    question: string;
    choices: string[];
    correct_choice_idx: number;
    rationales: string[];
  }

  /** What is not the same here, by the answer's name in the file. */
  const differences: { [name: string]: string } = {
    'one line': 'the explanation alone instead of the whole answer',
    'bracket text': 'left out already: its dataset class does so',
  };

  test.each(rawAnswerFiles)('%s', async (name) => {
    const answers = (await rawAnswers(name)) as (AnswerToRefine & { _name: string })[];
    const { [name]: results = [] } = await recorded<ReferenceResult[]>('post-processing');
    const different = answers.filter(({ raw_instructions }, index) => {
      const parsed = parseAnswer(raw_instructions);
      if (isRejection(parsed)) return true;
      const { question, choices, correct_choice_idx, rationales } = results[index] as ReferenceResult;
      const { correctChoiceIndex, explanation, ...ours } = parsed;
      expect(ours).toEqual({ question, choices });
      expect(correctChoiceIndex).toBe(correct_choice_idx);
      return explanation !== rationales[0];
    });
    const known = answers.filter(({ _name }) => _name in differences);
    expect(different.map(({ _name }) => _name)).toEqual(known.map(({ _name }) => _name));
  });

  test.skipIf(!checkout)(`the records are what it computes (${noCheckout})`, async () => {
    const jobs: { [job: string]: ReferenceJob } = {};
    for (const name of rawAnswerFiles) {
      const file = join(await temporaryFolder(), 'gptvqa_result.jsonl');
      await writeJsonLines(file, await rawAnswers(name));
      jobs[name] = { run: 'post-process', file };
    }
    await expectRecorded('post-processing', jobs);
  });
});
