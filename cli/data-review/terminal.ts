import { printable } from '../../src/core/printable.ts';
import { LETTERS } from '../../src/datasets/question-text.ts';
import { editOf } from '../../src/round/review/check-edit.ts';
import type { GivenDecision, SampleEdit } from '../../src/round/review/decisions.ts';
import { type ReviewedSample, reviewCounts, type SampleReview } from '../../src/round/review/open-review.ts';
import { type Ask, openDialog, type TerminalDialog } from '../terminal-dialog.ts';

/**
 * Shows the samples without a decision one by one, with their images, and asks what to do with each.
 *
 * @throws the signal's reason when aborted; Interrupted when the input ends. What was decided so far is kept
 */
export async function reviewSamplesInTerminal(
  review: SampleReview,
  options: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream; signal: AbortSignal },
): Promise<void> {
  const dialog = openDialog(options, 'The input has ended; what was decided is kept.');
  const { say, colors, draw } = dialog;
  try {
    const samples = await review.samples();
    for (const [index, sample] of samples.entries()) {
      if (sample.decision !== undefined) continue;
      say(colors.bold(`\nSample ${index + 1} of ${samples.length} (${printable(sample.sample.question_type)})`));
      await draw(sample.image);
      say(printable(sample.image));
      showSample(editOf(sample.sample), dialog);
      if ((await decide(review, sample, dialog)) === 'quit') break;
    }
    const { kept, edited, rejected, undecided } = reviewCounts(await review.samples());
    say(`${kept} kept, ${edited} edited, ${rejected} rejected, ${undecided} left.`);
  } finally {
    dialog.close();
  }
}

function showSample(
  { question, choices, correct, answer, explanation }: SampleEdit,
  { say, colors }: TerminalDialog,
): void {
  say(`\n${printable(question)}`);
  for (const [index, choice] of choices.entries()) {
    const line = `${index === correct ? '→' : ' '} (${LETTERS[index]}) ${printable(choice)}`;
    say(index === correct ? colors.green(line) : line);
  }
  if (answer !== undefined) say(colors.green(printable(answer)));
  say(printable(explanation));
}

async function decide(
  review: SampleReview,
  { key, sample }: ReviewedSample,
  { ask, say, colors }: TerminalDialog,
): Promise<'quit' | 'next'> {
  for (;;) {
    const answer = (await ask('keep (k), reject (r), edit (e), later (l), quit (q)? ')).trim().toLowerCase().charAt(0);
    if (answer === 'q') return 'quit';
    if (answer === 'l') return 'next';
    let given: GivenDecision | undefined;
    if (answer === 'k') given = { sample: key, decision: 'keep' };
    if (answer === 'r') {
      const comment = (await ask('Why? (Enter: no reason) ')).trim();
      given = { sample: key, decision: 'reject', ...(comment !== '' && { comment }) };
    }
    if (answer === 'e') given = { sample: key, decision: 'edit', edited: await askEdit(editOf(sample), ask) };
    if (given === undefined) continue;
    const refused = await review.decide(given);
    if (refused === undefined) return 'next';
    say(colors.red(printable(`${refused.field}: ${refused.problem}`)));
  }
}

/** Enter leaves a part as it is. */
async function askEdit(before: SampleEdit, ask: Ask): Promise<SampleEdit> {
  const part = async (name: string, value: string) => (await ask(`${name} [${printable(value)}]: `)).trim() || value;
  const question = await part('Question', before.question);
  if (before.correct === undefined) {
    const answer = await part('Answer', before.answer ?? '');
    return { question, choices: [], answer, explanation: await part('Explanation', before.explanation) };
  }
  const choices: string[] = [];
  for (const [index, choice] of before.choices.entries()) choices.push(await part(`(${LETTERS[index]})`, choice));
  const letter = await part('Right choice', LETTERS[before.correct] as string);
  const explanation = await part('Explanation', before.explanation);
  // An unknown letter is refused with the edit.
  const place = LETTERS.indexOf(letter.toUpperCase().replace(/[()]/g, ''));
  return { question, choices, correct: place < 0 ? choices.length : place, explanation };
}
