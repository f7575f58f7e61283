import { printable } from '../../src/core/printable.ts';
import { readTextFile } from '../../src/core/read-json.ts';
import type { PromptProgress } from '../../workflows/prompt-messages.ts';
import { openDialog, type TerminalDialog } from '../terminal-dialog.ts';
import { decisionNotes, describePhase, describePrompt, describeRejection } from './explain.ts';
import type { Review, ReviewedSample } from './review.ts';

/**
 * Shows the samples one by one with image, prompt and answer, asks for a verdict on each and then what to do, until
 * the workflow ends.
 *
 * @throws the signal's reason when aborted; Interrupted when the input ends. The workflow keeps waiting
 */
export async function reviewInTerminal(
  review: Review,
  options: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream; signal: AbortSignal },
): Promise<void> {
  const dialog = openDialog(options, 'The input has ended; the workflow keeps waiting.');
  const { say, signal, colors } = dialog;
  let said = '';
  const onWait = (waiting: string) => {
    // The time until the next attempt alone makes no new line.
    const kind = waiting.replace(/; attempt .*$/, '');
    if (kind !== said) say(colors.yellow(printable(waiting)));
    said = kind;
  };
  try {
    for (;;) {
      const waiting = await review.waitForSamples(signal, onWait);
      if (waiting === undefined) break;
      const { progress, samples } = waiting;
      await showChange(progress, dialog);
      for (const [index, sample] of samples.entries()) {
        if (progress.verdicts.some((verdict) => verdict.sample === sample.id)) continue;
        say(colors.bold(`\nSample ${index + 1} of ${samples.length} (${sample.images} image)`));
        await showSample(sample, dialog);
        await judge(review, sample, dialog);
      }
      await decide(review, progress, dialog);
    }
    const { accepted, iterations } = await review.result();
    say(
      accepted
        ? printable(`Accepted: ${accepted.file}${fromRound(accepted.fromRound)}`)
        : `Stopped after ${iterations} prompts.`,
    );
  } finally {
    dialog.close();
  }
}

async function showChange(progress: PromptProgress, { say, colors }: TerminalDialog): Promise<void> {
  const { current, problem } = progress;
  say(colors.bold(printable(`\nPrompt ${current?.iteration}: ${current?.promptFile}`)));
  say(describePrompt(current?.iteration ?? 0));
  say(describePhase(progress));
  if (problem) say(colors.red(printable(problem)));
  if (current?.diffFile === undefined) return;
  for (const line of (await readTextFile(current.diffFile)).trimEnd().split('\n')) {
    const shown = printable(line);
    say(line.startsWith('+') ? colors.green(shown) : line.startsWith('-') ? colors.red(shown) : shown);
  }
}

async function showSample(sample: ReviewedSample, { say, colors, draw }: TerminalDialog): Promise<void> {
  await draw(sample.image);
  say(printable(sample.image));
  say(colors.dim(printable(factsOf(sample.prompt))));
  say(`\n${printable(sample.answer)}`);
  const rejected = describeRejection(sample);
  if (rejected !== undefined) say(colors.yellow(printable(rejected)));
}

async function judge(review: Review, sample: ReviewedSample, { ask, say, colors }: TerminalDialog): Promise<void> {
  for (;;) {
    const answer = (await ask('good (g), bad (b), whole prompt (p), later (l)? ')).trim().toLowerCase();
    if (answer === 'l' || answer === 'later') return;
    if (answer === 'p') {
      say(printable(sample.prompt));
      continue;
    }
    const verdict = answer.startsWith('g') ? 'good' : answer.startsWith('b') ? 'bad' : undefined;
    if (verdict === undefined) continue;
    const comment = verdict === 'bad' ? (await ask('What is wrong with it? ')).trim() : undefined;
    const result = await review.judge({ sample: sample.id, verdict, comment });
    if (!('refused' in result)) return;
    say(colors.red(printable(result.refused)));
  }
}

async function decide(
  review: Review,
  { current }: PromptProgress,
  { ask, say, colors }: TerminalDialog,
): Promise<void> {
  const actions = current?.iteration === 0 ? (['revise', 'stop'] as const) : (['accept', 'revise', 'stop'] as const);
  say();
  for (const action of actions) say(colors.dim(`${action}: ${decisionNotes[action]}`));
  for (;;) {
    const accept = current?.iteration === 0 ? '' : 'accept this prompt (a), ';
    const answer = (await ask(`\n${accept}revise it (r), stop (s)? `)).trim().toLowerCase();
    const action = ({ a: 'accept', r: 'revise', s: 'stop' } as const)[answer.charAt(0)];
    if (action === undefined) continue;
    const comment = action === 'revise' ? (await ask('Anything else it should do? (Enter: no) ')).trim() : '';
    const result = await review.decide({ action, comment: comment || undefined });
    if (!('refused' in result)) return;
    say(colors.red(printable(result.refused)));
  }
}

/** What the prompt says about the image. */
function factsOf(prompt: string): string {
  return /^## Captions\n([\s\S]*?)(?=^## Answer format)/m.exec(prompt)?.[0].trim() ?? '';
}

function fromRound(round: number | undefined): string {
  return round === undefined ? '' : `, used from round ${round} on`;
}
