import { join } from 'node:path';
import { runStepOnce } from '../../core/manifest.ts';
import { writeJsonLines } from '../../core/write-file.ts';
import { countVerdicts } from '../../generation/verdicts.ts';
import { outcomeOf } from '../outcome-of.ts';
import type { VerifyOutcome } from '../outcomes.ts';
import type { StepContext } from '../step-context.ts';
import { verificationStep } from './begin.ts';
import { readVerificationRequests, verificationAnswers, verificationRequestsFile } from './work.ts';

export const verifiedFile = 'verified.jsonl';

/** Counts what the teacher answered about each sample. The calls stay where they are. */
export async function finishVerification(context: StepContext): Promise<VerifyOutcome> {
  const requests = await readVerificationRequests(context);
  const step = verificationStep(context, requests);
  const done = await runStepOnce({
    ...step,
    work: async () => {
      const known = await verificationAnswers(context);
      const answers = new Map(
        requests.flatMap(({ id }) => {
          const answer = known.get(id);
          return answer === undefined ? [] : [[id, answer] as const];
        }),
      );
      const verdicts = countVerdicts(requests, answers);
      await writeJsonLines(join(step.directory, verifiedFile), verdicts);
      const sum = (key: 'promptTokens' | 'completionTokens') =>
        [...answers.values()].reduce((total, { usage }) => total + usage[key], 0);
      return {
        outputs: [verifiedFile, verificationRequestsFile],
        metrics: {
          samples: new Set(requests.map(({ request_id }) => request_id)).size,
          answers: answers.size,
          unanswered: requests.length - answers.size,
          promptTokens: sum('promptTokens'),
          completionTokens: sum('completionTokens'),
        },
      };
    },
  });
  const { samples = 0, answers = 0, unanswered = 0, promptTokens = 0, completionTokens = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), samples, answers, unanswered, promptTokens, completionTokens };
}
