/** The sentences that explain a prompt optimization, on the page and in the terminal alike. */
import type { PromptProgress } from '../../workflows/prompt-messages.ts';
import type { ReviewedSample } from './review.ts';

/** Which prompt this is, in a sentence. */
export function describePrompt(iteration: number): string {
  return iteration === 0
    ? 'Prompt 0 is the prompt to start from: the teacher wrote the samples below with it. Nothing has been changed yet.'
    : `Prompt ${iteration} is the teacher's revision number ${iteration}, made of your verdicts on the samples of prompt ${iteration - 1}.`;
}

/** What the workflow does now, and what it does after the person has answered. */
export function describePhase({ phase, verdicts, current }: PromptProgress): string {
  const { iteration = 0, samples = [] } = current ?? {};
  switch (phase) {
    case 'waiting for verdicts': {
      const left = samples.length - verdicts.length;
      const next =
        iteration === 0
          ? 'Then have the teacher revise the prompt, or stop.'
          : 'Then have the teacher revise it once more, accept it, or stop.';
      return left > 0
        ? `Say of each sample whether it is good, and of a bad one what is wrong: ${left} of ${samples.length} left. ${next}`
        : `All ${samples.length} samples are judged. ${next}`;
    }
    case 'preparing':
      return 'The config and the prompt to start from are being read.';
    case 'making samples':
      return `The teacher writes samples with prompt ${iteration + (current === undefined ? 0 : 1)}; they appear here.`;
    case 'revising':
      return 'The teacher revises the prompt by your verdicts; then it writes samples with the revision.';
    case 'accepting':
      return 'The prompt is being made a version.';
    case 'done':
      return 'This optimization is done; the command has ended. You can close this page.';
  }
}

/** What each decision leads to. */
export const decisionNotes = {
  revise: 'the teacher changes the prompt by your verdicts and tries it on the same images and on new ones',
  accept: 'it becomes a version of its own, which later rounds of the run use',
  stop: 'nothing is changed; the samples and verdicts stay in the folder',
} as const;

/** Why the filters would leave a sample out, in words; undefined where they would take it. */
export function describeRejection({ problem, answer, question_type: type }: ReviewedSample): string | undefined {
  if (problem === undefined && !/^\W*skip(?:ped)?\W*$/i.test(answer)) return undefined;
  const [reason = '', ...rest] = (problem ?? 'skip').split(': ');
  if (reason === 'skip' || /^\W*skip/i.test(answer)) {
    return `The teacher skipped this one: it is told to answer Skip where the facts about the image do not allow a question of the type ${type}. The filters leave it out. Good means that skipping was right here; bad, that a question was possible.`;
  }
  const words = reason.replaceAll('_', ' ');
  const detail = rest.join(': ');
  return `The filters would reject it for “${words}”${detail === '' ? '' : `: ${detail}`}. Judge what is wrong with it, or good if the filters are.`;
}
