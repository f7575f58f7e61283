import { z } from 'zod';
import { imageIdSchema } from '../core/images/image-id.ts';
import { InputError } from '../core/input-error.ts';
import type { ImageFolder } from './image-folder.ts';
import { layoutName, readLayout } from './known-layouts.ts';
import { checkCorrectChoice, choicesSchema, streamQuestions, trainingQuestionSchema } from './question-records.ts';
import type { QuestionRecord, TrainDataset } from './train-dataset.ts';

const questionSchema = z.object({
  split: z.string().optional(),
  image_id: imageIdSchema.describe("COCO's, or a path below the folder of images"),
  question_id: z.string().min(1).describe('Unique in the file'),
  question: z.string(),
  choices: choicesSchema,
  correct_choice_idx: z.int().describe('Place of the correct choice, from 0'),
  direct_answers: z.array(z.string()).describe('Of ten people'),
  difficult_direct_answer: z.boolean().default(false).describe('Does not count for direct answers'),
  rationales: z.array(z.string()),
  question_type: z.string().optional().describe('In classified files; the teacher classifies the others'),
});

/** A question that a model is scored on. */
export const aokvqaQuestionSchema = questionSchema.superRefine(checkCorrectChoice);

const answerFields = ['correct_choice_idx', 'direct_answers', 'rationales'] as const;

/** A question of the test split, which has no answers, or of any other. */
const askedSchema = questionSchema
  .partial({ correct_choice_idx: true, direct_answers: true, rationales: true })
  .superRefine(({ choices, correct_choice_idx }, context) => {
    if (correct_choice_idx !== undefined) checkCorrectChoice({ choices, correct_choice_idx }, context);
  });

/** One question, with A-OKVQA's own field names (https://github.com/allenai/aokvqa). */
export type AokvqaQuestion = z.output<typeof aokvqaQuestionSchema>;

/** The same, of which the answers may not be known. */
export type AskedAokvqaQuestion = z.output<typeof askedSchema>;

type Answers = Pick<AokvqaQuestion, 'correct_choice_idx' | 'direct_answers'>;

/** Whether a question can be scored. */
export function hasAnswers<Q extends AskedAokvqaQuestion>(question: Q): question is Q & Answers {
  return question.correct_choice_idx !== undefined && question.direct_answers !== undefined;
}

/**
 * Reads an A-OKVQA file that has answers, such as `aokvqa_v1p0_train.json`, or the reference system's
 * `aokvqa_v1p0_val_classified.json`, whose records also have a `question_type`.
 *
 * @throws InputError naming line or field, such as `[12].correct_choice_idx` when it is out of range.
 */
export async function readAokvqa(file: string): Promise<AokvqaQuestion[]> {
  const questions = await readAskedAokvqa(file);
  const isAsked = (question: AskedAokvqaQuestion) => answerFields.every((field) => question[field] === undefined);
  if (questions.length > 0 && questions.every(isAsked)) {
    const remedy = 'Name a split with answers; a split without can be predicted (docs/benchmarks.md)';
    throw new InputError({ file, problem: 'has no answers', remedy });
  }
  return questions.map((question, index) => {
    const missing = answerFields.find((field) => question[field] === undefined);
    if (missing === undefined) return question as AokvqaQuestion;
    throw new InputError({ file, field: `[${index}].${missing}`, problem: 'is missing', remedy: 'Correct this value' });
  });
}

/** Reads an A-OKVQA file with or without answers. @throws InputError naming line or field of what is wrong */
export async function readAskedAokvqa(file: string): Promise<AskedAokvqaQuestion[]> {
  const questions = await readLayout(file, layoutName.aokvqa, z.array(askedSchema));
  const places = new Map<string, number>();
  for (const [index, { question_id }] of questions.entries()) {
    const earlier = places.get(question_id);
    // Losses and answers are joined by id: a second question with the same id would get those of the first.
    if (earlier !== undefined) {
      throw new InputError({
        file,
        field: `[${index}].question_id`,
        problem: `'${question_id}' is also the id of [${earlier}]`,
        remedy: 'Give every question its own id',
      });
    }
    places.set(question_id, index);
  }
  return questions;
}

/** Path under the data root → how to download A-OKVQA's files. */
export const aokvqaDownloads: Readonly<Record<string, string>> = {
  'A-OKVQA': 'Download aokvqa_v1p0.tar.gz from github.com/allenai/aokvqa and unpack it in A-OKVQA',
  'A-OKVQA/aokvqa_v1p0_val_classified.json':
    'Take it from the A-OKVQA download of github.com/opendatalab/MLLM-DataEngine, or name aokvqa_v1p0_val.json as data.validation.file: the teacher then classifies the questions',
};

const aokvqaTrainSchema = trainingQuestionSchema.safeExtend({ question_id: z.string().optional() });

/** A-OKVQA's questions for training. */
export const aokvqaTrain: TrainDataset = {
  defaultPath: 'A-OKVQA/aokvqa_v1p0_train.json',

  downloads: aokvqaDownloads,

  async *read({ name, path, images }, onLeftOut) {
    for await (const { index, record } of streamQuestions(path, aokvqaTrainSchema, onLeftOut)) {
      yield { id: record.question_id ?? `${name}-${index}`, ...(await questionRecord(record, images)) };
    }
  },
};

/** A question as training data, in A-OKVQA's fields, which generated samples share. */
export async function questionRecord(
  question: Pick<
    AokvqaQuestion,
    'image_id' | 'question' | 'choices' | 'correct_choice_idx' | 'rationales' | 'question_type'
  >,
  images: ImageFolder,
): Promise<Omit<QuestionRecord, 'id'>> {
  return {
    image: await images.fileOf(question.image_id),
    question: question.question,
    choices: question.choices,
    correct: question.correct_choice_idx,
    rationales: question.rationales,
    questionType: question.question_type,
  };
}
