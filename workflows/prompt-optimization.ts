/**
 * Interactive Prompt Optimization: a person and the teacher make the generation prompt better together.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  condition,
  rootCause,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { promptActivities } from './activity-options.ts';
import {
  decideUpdate,
  maximumComment,
  maximumSamples,
  type PromptDecision,
  type PromptIteration,
  type PromptOptimizationInput,
  type PromptOptimizationResult,
  type PromptProgress,
  promptProgressQuery,
  type SampleVerdict,
  verdictUpdate,
} from './prompt-messages.ts';

/**
 * Makes sample generations, waits for a person's verdicts, however long that takes, has the teacher revise the prompt
 * and tries the revision on the same and on fresh images, until the person accepts a prompt or stops.
 */
export async function promptOptimization(input: PromptOptimizationInput): Promise<PromptOptimizationResult> {
  const count = input.samples ?? 4;
  if (!Number.isInteger(count) || count < 1 || count > maximumSamples) {
    throw ApplicationFailure.nonRetryable(`samples: give 1 to ${maximumSamples}, not ${input.samples}`, 'InputError');
  }
  const progress: PromptProgress = { phase: 'preparing', verdicts: [], history: [] };
  let decision: PromptDecision | undefined;
  setHandler(promptProgressQuery, () => progress);
  setHandler(
    verdictUpdate,
    (verdict) => {
      progress.verdicts = [...progress.verdicts.filter(({ sample }) => sample !== verdict.sample), verdict];
      return { left: left(progress) };
    },
    { validator: (verdict) => checkVerdict(progress, decision, verdict) },
  );
  setHandler(
    decideUpdate,
    (decided) => {
      decision = decided;
      return { iteration: progress.current?.iteration ?? 0 };
    },
    { validator: (decided) => checkDecision(progress, decision, decided) },
  );
  const enter = (phase: PromptProgress['phase']) => {
    progress.phase = phase;
    setCurrentDetails(describe(progress));
  };

  const { workflowId } = workflowInfo();
  const plan = await promptActivities('Read the config and the prompt to start from').preparePromptOptimization({
    ...input,
    workflowId,
  });
  progress.directory = plan.directory;
  const activities = (summary: string) => promptActivities(summary, plan.queue);
  const reference = { runDirectory: plan.directory, round: 0 };

  async function lookAt(iteration: number): Promise<PromptDecision> {
    enter('making samples');
    progress.current = await activities(`Make sample generations with prompt ${iteration}`).makePromptSamples({
      ...reference,
      iteration,
      count,
      forRun: input.forRun,
    });
    progress.verdicts = [];
    return nextDecision();
  }

  async function nextDecision(): Promise<PromptDecision> {
    decision = undefined;
    enter('waiting for verdicts');
    await condition(() => decision !== undefined);
    return decision as unknown as PromptDecision;
  }

  let iteration = 0;
  let decided = await lookAt(0);
  while (decided.action === 'revise') {
    enter('revising');
    try {
      const { diff } = await activities(`Have the teacher revise prompt ${iteration}`).revisePrompt({
        ...reference,
        iteration,
        verdicts: progress.verdicts,
        comment: decided.comment,
      });
      progress.diff = diff;
      progress.problem = undefined;
    } catch (error) {
      // A person can put it in other words, or, without money, accept what there is; what was judged is not lost.
      if (!isUpToPerson(error)) throw error;
      progress.problem = rootCause(error) ?? 'The teacher proposed no prompt that can be used.';
      decided = await nextDecision();
      continue;
    }
    progress.history = [...progress.history, { iteration, ...tally(progress.verdicts) }];
    iteration += 1;
    decided = await lookAt(iteration);
  }

  const result: PromptOptimizationResult = { iterations: iteration + 1, directory: plan.directory };
  if (decided.action === 'accept') {
    enter('accepting');
    result.accepted = await activities(`Make prompt ${iteration} a version`).acceptPrompt({
      ...reference,
      iteration,
      forRun: input.forRun,
    });
  }
  enter('done');
  await condition(allHandlersFinished);
  return result;
}

/** Whether no prompt that can be used was proposed, or there was no money to ask for one. */
function isUpToPerson(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure)) return false;
  return cause.type === 'OutOfBudget' || (cause.type === 'TeacherError' && cause.nonRetryable === true);
}

function checkVerdict(progress: PromptProgress, decision: PromptDecision | undefined, verdict: SampleVerdict): void {
  checkPhase(progress, decision);
  const known = (progress.current as PromptIteration).samples.map(({ id }) => id);
  if (!known.includes(verdict?.sample)) throw new Error(`sample: one of ${known.join(', ')}`);
  if (verdict.verdict !== 'good' && verdict.verdict !== 'bad') throw new Error('verdict: good or bad');
  if (verdict.verdict === 'bad' && !verdict.comment?.trim()) throw new Error('comment: say what is wrong with it');
  checkComment(verdict.comment);
}

function checkDecision(progress: PromptProgress, decision: PromptDecision | undefined, decided: PromptDecision): void {
  checkPhase(progress, decision);
  checkComment(decided?.comment);
  const { action } = decided ?? {};
  if (action === 'revise') {
    const reasons = progress.verdicts.some(({ verdict }) => verdict === 'bad') || decided.comment?.trim();
    if (!reasons) throw new Error('nothing to revise: judge a sample bad, or say in a comment what should change');
  } else if (action === 'accept') {
    if (progress.current?.iteration === 0) throw new Error('nothing has changed yet: revise, or stop');
  } else if (action !== 'stop') {
    throw new Error('action: revise, accept or stop');
  }
}

function checkPhase({ phase }: PromptProgress, decision: PromptDecision | undefined): void {
  if (phase !== 'waiting for verdicts' || decision !== undefined) {
    throw new Error(`not now: it is ${phase === 'waiting for verdicts' ? 'going on' : phase}`);
  }
}

function checkComment(comment: unknown): void {
  if (comment === undefined) return;
  if (typeof comment !== 'string' || comment.length > maximumComment) {
    throw new Error(`comment: a text of at most ${maximumComment} characters`);
  }
}

function left({ current, verdicts }: PromptProgress): number {
  return (current?.samples.length ?? 0) - verdicts.length;
}

function tally(verdicts: readonly SampleVerdict[]): { good: number; bad: number } {
  const good = verdicts.filter(({ verdict }) => verdict === 'good').length;
  return { good, bad: verdicts.length - good };
}

function describe(progress: PromptProgress): string {
  const { phase, current, history, directory, problem, diff } = progress;
  const rows = history.map(({ iteration, good, bad }) => `| ${iteration} | ${good} | ${bad} |`);
  return [
    `**Prompt ${current?.iteration ?? 0}**: ${phase}${directory ? ` (\`${directory}\`)` : ''}`,
    ...(phase === 'waiting for verdicts' ? [`Samples: ${current?.samplesFile}`] : []),
    ...(problem ? [problem] : []),
    '',
    '| prompt | good | bad |',
    '| ---: | ---: | ---: |',
    ...rows,
    ...(diff ? ['', '```diff', diff, '```'] : []),
  ].join('\n');
}
