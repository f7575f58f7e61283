import { answerWords, type EngineSample } from '../../datasets/engine-data.ts';
import { type EvaluatedQuestion, isRight } from '../../evaluation/bad-cases.ts';
import { type ShownSample, writeSamplePage } from '../../report/sample-page.ts';
import { poolFolder } from '../dataset-paths.ts';
import { validationImages } from '../loop-questions.ts';
import { keptSamples } from '../select/kept-samples.ts';
import type { StepContext } from '../step-context.ts';

const maximumShown = 36;

/** The page for the person who decides about a round: its new samples, and the questions whose answers changed. */
export async function writeApprovalPage(
  { config, run, round }: StepContext,
  input: {
    file: string;
    builtOn: number;
    before: readonly EvaluatedQuestion[];
    now: readonly EvaluatedQuestion[];
  },
): Promise<void> {
  const samples = await (await keptSamples({ config, run, round })).read();
  const fileOf = await validationImages({ config, run });
  const was = new Map(input.before.map((answer) => [answer.question_id, isRight(answer)]));
  const changed = (from: boolean) =>
    input.now.filter((answer) => was.get(answer.question_id) === from && isRight(answer) === !from);
  const shownQuestion = async (answer: EvaluatedQuestion): Promise<ShownSample> => ({
    image: await fileOf(answer.image_id),
    answer: answer.direct_answers[0] ?? '',
    questionType: `${answer.question_type}; now answered: ${answer.model_answer}`,
    question: answer.question,
    choices: answer.choices.length === 0 ? undefined : answer.choices,
    correct: answer.correct_choice_idx,
  });
  const pool = poolFolder(config);
  const shownSample = async (sample: EngineSample): Promise<ShownSample> => ({
    image: await pool.fileOf(sample.image_id),
    answer: answerWords(sample),
    questionType: sample.question_type,
    question: sample.question,
    choices: sample.choices.length === 0 ? undefined : sample.choices,
    correct: sample.correct_choice_idx,
  });
  const section = async <T>(name: string, all: T[], show: (one: T) => Promise<ShownSample>) => ({
    name: `${name}: ${Math.min(all.length, maximumShown)} of ${all.length}`,
    samples: await Promise.all(all.slice(0, maximumShown).map(show)),
  });
  await writeSamplePage(input.file, `Round ${round}, to be accepted or rejected`, [
    await section('New samples', samples, shownSample),
    await section(`Right in round ${input.builtOn}, wrong now`, changed(true), shownQuestion),
    await section(`Wrong in round ${input.builtOn}, right now`, changed(false), shownQuestion),
  ]);
}
