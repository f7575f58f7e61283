import { writeFileAtomically } from '../../core/write-file.ts';
import type { AnsweredQuestion } from './benchmark.ts';
import type { MmbenchQuestion } from './mmbench-file.ts';

export type MmbenchItem = MmbenchQuestion & { id: string };

/** Excel's own limit of a cell's text. */
const LONGEST_TEXT = 32_767;

/**
 * Writes predictions as the evaluation service of MMBench takes them: one sheet, a row a question or rotation, with
 * `index`, `question`, the options `A` to `D` and `prediction` (its check in VLMEvalKit's `scripts/mmb_eval_gradio.py`),
 * and the question's categories. The prediction is what the model wrote, as the service matches it itself; the letter of
 * the choice where options were ranked.
 */
export async function writeMmbenchSubmission(
  file: string,
  answered: readonly AnsweredQuestion<MmbenchItem>[],
): Promise<void> {
  // Loaded only when needed: the registry of benchmarks is imported everywhere.
  const { default: writeExcelFile } = await import('write-excel-file/node');
  const letters = [
    ...new Set([...'ABCD', ...answered.flatMap(({ question }) => question.options.map(({ letter }) => letter))]),
  ].sort();
  const head = ['index', 'question', ...letters, 'prediction', 'category', 'l2-category', 'split'];
  const rows = answered.map(({ question, choice, text }) => {
    const optionOf = new Map(question.options.map(({ letter, text }) => [letter, text]));
    const { index, category, l2Category, split } = question;
    const prediction = text ?? (choice === undefined ? '' : question.options[choice]?.letter);
    return [
      { value: index, type: Number },
      ...[
        question.question,
        ...letters.map((letter) => optionOf.get(letter)),
        prediction,
        category,
        l2Category,
        split,
      ].map(textCell),
    ];
  });
  const content = await writeExcelFile([head.map(textCell), ...rows], { sheet: 'Sheet1' }).toBuffer();
  await writeFileAtomically(file, content);
}

// A text that looks like a number, a date or a formula stays a text.
function textCell(text: string | undefined) {
  return text === undefined || text === '' ? null : { value: text.slice(0, LONGEST_TEXT), type: String };
}
