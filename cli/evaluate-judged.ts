/** Evaluations outside of a round whose written answers the config's teacher judges. */
import { join } from 'node:path';
import type { Config } from '../src/config/schema.ts';
import { InputError } from '../src/core/input-error.ts';
import type { AnsweredQuestion } from '../src/evaluation/benchmarks/benchmark.ts';
import type { JudgedSet } from '../src/evaluation/judge/judge-figures.ts';
import type { EvaluationSet } from '../src/round/evaluation-sets.ts';
import type { StepContext } from '../src/round/step-context.ts';
import { confirmation, type PriceOptions } from './before-run.ts';
import { type ConfigOptions, loadNamedConfig } from './options.ts';
import { ownRun, type TakeoverOption } from './own-run.ts';

/** Scores written answers. @param folder of the evaluation's files */
export type JudgeAnswers = (answered: readonly AnsweredQuestion[], folder: string) => Promise<JudgedSet>;

/**
 * Gives the work what judges its answers, where the set asks for that; what it costs is in the ledger of the config's run.
 *
 * @throws InputError where no config names a teacher
 */
export async function withJudge<R>(
  set: EvaluationSet,
  options: Omit<ConfigOptions, 'config'> & PriceOptions & TakeoverOption & { config?: string; round: number },
  config: Config | undefined,
  { signal, onProgress }: Pick<StepContext, 'signal' | 'onProgress'>,
  work: (judge: JudgeAnswers | undefined) => Promise<R>,
): Promise<R> {
  if (set.questions?.metric !== 'judge') return work(undefined);
  if (config === undefined || options.config === undefined) {
    throw new InputError({
      file: 'command line',
      field: '--metric',
      problem: 'judge has a teacher score the answers, and there is none without a config',
      remedy: 'Name a config with a teacher (--config), or take another metric',
    });
  }
  const [{ judgeSet }, { withNewRun }, { extensions }] = await Promise.all([
    import('../src/round/judge/judge.ts'),
    import('../src/round/open-run.ts'),
    import('../workers/extensions.ts'),
  ]);
  const { runName } = await loadNamedConfig(options.config, options);
  return ownRun({ config, runName }, 'evaluate', options, (epoch) =>
    withNewRun(config, runName, { epoch, signal, onProgress, extensions }, (open) => {
      const context = { ...open, round: options.round, onProgress, confirmCost: confirmation(config, options) };
      return work((answered, folder) => judgeSet(context, join(folder, 'judge'), set, answered));
    }),
  );
}
