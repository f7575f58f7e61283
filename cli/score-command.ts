import type { Command } from 'commander';
import { InputError } from '../src/core/input-error.ts';
import type { AokvqaPredictions } from '../src/evaluation/aokvqa-predictions.ts';
import { tell } from './say.ts';
import { textTable } from './text-table.ts';

/** Adds `dataengine score`. */
export function addScoreCommand(program: Command): void {
  program
    .command('score <predictions>')
    .description("score a file of A-OKVQA predictions, in the leaderboard's format, as its official script does")
    .requiredOption('--questions <file>', 'A-OKVQA file with answers, such as aokvqa_v1p0_val.json')
    .option('--json', 'one JSON value instead of a table', false)
    .addHelpText(
      'after',
      '\nExample:\n  dataengine score runs/demo/round-0/evaluate/aokvqa_predictions.json --questions aokvqa_v1p0_val.json',
    )
    .action(async (file: string, { questions: questionFile, json }: { questions: string; json: boolean }) => {
      const { readAokvqaPredictions, scoreAokvqaPredictions } = await import('../src/evaluation/aokvqa-predictions.ts');
      const { readAokvqa } = await import('../src/datasets/aokvqa.ts');
      const questions = await readAokvqa(questionFile);
      const predictions = await readAokvqaPredictions(file);
      refuseUnpredicted(file, predictions);
      const counts = {
        questions: questions.length,
        predicted: questions.filter(({ question_id }) => Object.hasOwn(predictions, question_id)).length,
        unknown: Object.keys(predictions).length,
      };
      counts.unknown -= counts.predicted;
      const scores = { ...scoreAokvqaPredictions(questions, predictions), ...counts };
      if (json) process.stdout.write(`${JSON.stringify(scores)}\n`);
      else tell(formatScore(scores));
    });
}

/** @throws InputError when no question has an answer in either setting */
function refuseUnpredicted(file: string, predictions: AokvqaPredictions): void {
  const isPredicted = Object.values(predictions).some((answers) => Object.keys(answers).length > 0);
  if (isPredicted) return;
  throw new InputError({
    file,
    problem: 'has no predictions',
    remedy: 'Give each question id its `multiple_choice`, its `direct_answer`, or both',
  });
}

interface PredictionScores {
  /** In percent; none where no question has such a prediction. */
  multipleChoice: number | undefined;
  directAnswer: number | undefined;
  questions: number;
  predicted: number;
  /** Predictions for questions that the file does not have. */
  unknown: number;
}

/** The scores as a table for a terminal. */
function formatScore({ questions, predicted, unknown, ...scores }: PredictionScores): string {
  const rows = Object.entries(scores).map(([measure, score]) => [measure, score?.toFixed(2) ?? '–']);
  const table = textTable(['measure', 'score %'], rows, { textColumns: 1, compact: true });
  const notes = [
    `A-OKVQA: ${predicted} of ${questions} questions have a prediction; the others count as wrong.`,
    ...(unknown > 0 ? [`${unknown} predictions are for questions that are not in the file.`] : []),
  ];
  return [...notes, table].join('\n');
}
