/**
 * A prompt optimization: its current prompt and samples, and what a person says about them.
 */
import { condition, setCurrentDetails } from '@temporalio/workflow';
import { codeBlock, codeSpan, plainText } from './markdown.ts';
import {
  maxCommentLength,
  type PromptDecision,
  type PromptIteration,
  type PromptProgress,
  type SampleVerdict,
} from './prompt-messages.ts';

export class PromptState {
  readonly progress: PromptProgress = { phase: 'preparing', verdicts: [], history: [] };
  private decision: PromptDecision | undefined;

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
  checkVerdict(given: SampleVerdict | undefined): void {
    this.checkPhase();
    const { sample, verdict, comment } = given ?? ({} as Partial<SampleVerdict>);
    const known = (this.progress.current as PromptIteration).samples.map(({ id }) => id);
    if (sample === undefined || !known.includes(sample)) throw new Error(`sample: one of ${known.join(', ')}`);
    if (verdict !== 'good' && verdict !== 'bad') throw new Error('verdict: good or bad');
    if (verdict === 'bad' && !comment?.trim()) throw new Error('comment: say what is wrong with it');
    checkComment(comment);
  }

  /** Throws where the update is refused. */
  checkDecision(given: PromptDecision | undefined): void {
    this.checkPhase();
    const { action, comment } = given ?? ({} as Partial<PromptDecision>);
    checkComment(comment);
    const { verdicts, current } = this.progress;
    if (action === 'revise') {
      const hasReason = verdicts.some(({ verdict }) => verdict === 'bad') || comment?.trim();
      if (!hasReason) throw new Error('nothing to revise: judge a sample bad, or say in a comment what should change');
    } else if (action === 'accept') {
      if (current?.iteration === 0) throw new Error('nothing has changed yet: revise, or stop');
    } else if (action !== 'stop') {
      throw new Error('action: revise, accept or stop');
    }
  }

  // What the workflow does.

  enter(phase: PromptProgress['phase']): void {
    this.progress.phase = phase;
    setCurrentDetails(describe(this.progress));
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
    if (phase !== 'waiting for verdicts') throw new Error(`not now: it is ${phase}`);
    if (this.decision !== undefined) throw new Error('not now: it was just decided');
  }
}

function checkComment(comment: unknown): void {
  if (comment === undefined) return;
  if (typeof comment !== 'string' || comment.length > maxCommentLength) {
    throw new Error(`comment: a text of at most ${maxCommentLength} characters`);
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
