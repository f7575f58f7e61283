import { join } from 'node:path';
import type { SettleUnclear } from '../evaluation/choose-from-texts.ts';
import { extractWithTeacher } from '../evaluation/extract-with-teacher.ts';
import type { StepContext } from './step-context.ts';
import { withTeacher } from './teacher.ts';

/** What the teacher said that written answers mean, in the run's folder; all rounds share it. */
const repliesFile = 'extracted-choices.jsonl';
/** A letter is asked for. */
const MAXIMUM_TOKENS = 16;

/**
 * Has the teacher place the written answers that the rules can't. The local teacher only writes samples: with it the
 * rules have the last word.
 */
export function settleUnclearOf(context: StepContext): SettleUnclear | undefined {
  const { teacher } = context.config;
  if (teacher.provider === 'local') return undefined;
  return (unclear) =>
    withTeacher(
      context,
      (ask) =>
        extractWithTeacher(unclear, {
          ask: async (prompt) => {
            const options = { temperature: 0, maximumTokens: MAXIMUM_TOKENS, signal: context.signal };
            return (await ask([{ role: 'user', content: prompt }], options)).text;
          },
          file: join(context.run.root, repliesFile),
          concurrency: teacher.concurrency,
        }),
      'extraction',
    );
}
