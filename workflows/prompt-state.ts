/**
 * A prompt optimization: its current prompt and samples, and what a person says about them.
 */
import { condition } from '@temporalio/workflow';
import { codeBlock, codeSpan, plainText } from './markdown.ts';
import { type MessageHandlers, refuse } from './message-handlers.ts';
import type { PromptDecision, PromptIteration, PromptProgress, SampleVerdict } from './prompt-messages.ts';

export class PromptState {
  readonly progress: PromptProgress = { phase: 'preparing', verdicts: [], history: [] };
  private decision: PromptDecision | undefined;

  constructor(private readonly messages: Pick<MessageHandlers, 'show'>) {}

  // What a person says.

  /** A later verdict on a sample replaces the earlier one. */
  judge(verdict: SampleVerdict): { left: number } {
    const { progress } = this;
    progress.verdicts = [...progress.verdicts.filter(({ sample }) => sample !== verdict.sample), verdict];
    return { left: (progress.current?.samples.length ?? 0) - progress.verdicts.length };
  }

  decide(decision: PromptDecision): { iteration: number } {
    this.decision = decision;
    return { iteration: this.progress.current?.iteration ?? 0 };
  }

  /** Throws where the update is refused. */
  checkVerdict({ sample, verdict, comment }: SampleVerdict): void {
    this.checkPhase();
    const known = (this.progress.current as PromptIteration).samples.map(({ id }) => id);
    if (!known.includes(sample)) refuse(`sample: one of ${known.join(', ')}`);
    if (verdict === 'bad' && !comment?.trim()) refuse('comment: say what is wrong with it');
  }

  /** Throws where the update is refused. */
  checkDecision({ action, comment }: PromptDecision): void {
    this.checkPhase();
    const { verdicts, current } = this.progress;
    if (action === 'revise') {
      const hasReason = verdicts.some(({ verdict }) => verdict === 'bad') || comment?.trim();
      if (!hasReason) refuse('nothing to revise: judge a sample bad, or say in a comment what should change');
    }
    if (action === 'accept' && current?.iteration === 0) refuse('nothing has changed yet: revise, or stop');
  }

  // What the workflow does.

  enter(phase: PromptProgress['phase']): void {
    this.progress.phase = phase;
    this.messages.show(describe(this.progress));
  }

  showSamples(iteration: PromptIteration): void {
    this.progress.current = iteration;
    this.progress.verdicts = [];
  }

  /** Waits for a person, however long that takes. */
  async untilDecided(): Promise<PromptDecision> {
    this.decision = undefined;
    this.enter('waiting for verdicts');
    await condition(() => this.decision !== undefined);
    return this.decision as unknown as PromptDecision;
  }

  /** The prompt was revised: what was judged belongs to the past. */
  closeIteration(iteration: number): void {
    const { progress } = this;
    const good = progress.verdicts.filter(({ verdict }) => verdict === 'good').length;
    progress.history = [...progress.history, { iteration, good, bad: progress.verdicts.length - good }];
  }

  private checkPhase(): void {
    const { phase } = this.progress;
    if (phase !== 'waiting for verdicts') refuse(`not now: it is ${phase}`);
    if (this.decision !== undefined) refuse('not now: it was just decided');
  }
}

function describe({ phase, current, history, directory, problem, diff }: PromptProgress): string {
  const rows = history.map(({ iteration, good, bad }) => `| ${iteration} | ${good} | ${bad} |`);
  return [
    `**Prompt ${current?.iteration ?? 0}**: ${phase}${directory ? ` (${codeSpan(directory)})` : ''}`,
    ...(phase === 'waiting for verdicts' ? [`Samples: ${codeSpan(current?.samplesFile ?? '')}`] : []),
    ...(problem ? [plainText(problem)] : []),
    '',
    '| prompt | good | bad |',
    '| ---: | ---: | ---: |',
    ...rows,
    ...(diff ? ['', codeBlock('diff', diff)] : []),
  ].join('\n');
}
