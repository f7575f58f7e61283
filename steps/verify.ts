import { join } from 'node:path';
import type { Config } from '../configs/schema.ts';
import { readRequests } from '../generation/generation-request.ts';
import { isRejection, parserVersion } from '../generation/parse-answer.ts';
import { pictureOf } from '../generation/prompt.ts';
import { readPromptTemplate } from '../generation/prompt-template.ts';
import { readRawAnswers } from '../generation/raw-answers.ts';
import { answerKeeper } from '../generation/refine.ts';
import { countVerdicts } from '../generation/verdicts.ts';
import {
  blindPlaceholders,
  languageOnlyPlaceholders,
  type SampleToVerify,
  verificationMessages,
  verificationRequests,
} from '../generation/verification.ts';
import { answerVerifications } from '../generation/verify.ts';
import { hashValue } from '../store/hash.ts';
import { runStepOnce } from '../store/manifest.ts';
import { roundDirectory, stepDirectory } from '../store/run-directory.ts';
import { writeFileAtomically } from '../store/write-file.ts';
import { finishedStep } from './finished-step.ts';
import { rawAnswersFile } from './generate.ts';
import { keepRules } from './keep-rules.ts';
import { outcomeOf } from './outcome-of.ts';
import type { VerifyOutcome } from './outcomes.ts';
import { withPool } from './pool.ts';
import { requireDataRound } from './require-data-round.ts';
import { requestsFile } from './sample.ts';
import type { StepContext } from './step-context.ts';
import { teacherIdentity, withTeacher } from './teacher.ts';

export const verifiedFile = 'verified.jsonl';

/** Whether the config asks for the step at all. */
export function verifies({ verify }: Config): boolean {
  return verify.blindAnswers + verify.languageOnlyAnswers > 0;
}

/**
 * Asks the teacher its own questions again, those that the free filters leave. The raw answers stay in
 * `round-<k>/verify_result.jsonl` whatever happens to the step, and none is asked for twice.
 */
export async function verify(context: StepContext): Promise<VerifyOutcome> {
  const { config, run, round, signal, onProgress } = context;
  requireDataRound(round, 'verify');
  const sampled = await finishedStep(run, round, 'sample');
  const generated = await finishedStep(run, round, 'generate');
  const requests = await readRequests(join(sampled.directory, requestsFile));
  const answers = await readRawAnswers(join(generated.directory, rawAnswersFile), requests);
  const keep = answerKeeper(await keepRules(context, answers));
  const samples = answers.flatMap((answer): SampleToVerify[] => {
    const parsed = keep(answer);
    return isRejection(parsed) ? [] : [{ request_id: answer.request_id, image_id: answer.image_id, ...parsed }];
  });

  const { blindAnswers, languageOnlyAnswers, temperature } = config.verify;
  const templates = {
    blind: await readPromptTemplate(config.verify.blindPrompt, blindPlaceholders),
    language_only: await readPromptTemplate(config.verify.languageOnlyPrompt, languageOnlyPlaceholders),
  };
  const toAsk = verificationRequests({
    samples,
    blindAnswers,
    languageOnlyAnswers,
    identity: {
      teacher: teacherIdentity(config.teacher),
      temperature,
      prompts: [templates.blind.hash, templates.language_only.hash],
    },
    seed: `${config.seed}/round-${round}`,
  });

  const directory = stepDirectory(run, round, 'verify');
  const done = await runStepOnce({
    directory,
    step: 'verify',
    inputs: { requests: hashValue(toAsk.map(({ id }) => id)), parser: parserVersion },
    work: async () => {
      const pictures = await withPool(config, (coco) => coco.read(toAsk.map(({ image_id }) => image_id)));
      const verified = await withTeacher(context, (ask) =>
        answerVerifications({
          requests: toAsk,
          resultFile: join(roundDirectory(run, round), 'verify_result.jsonl'),
          concurrency: config.teacher.concurrency,
          signal,
          ask: async (request) =>
            ask(verificationMessages(request, pictureOf(pictures, request), templates), {
              seed: request.seed,
              temperature,
              maximumTokens: templates[request.kind].maximumTokens,
            }),
          onProgress: (step, steps) => onProgress({ step, steps }),
        }),
      );
      const verdicts = countVerdicts(toAsk, verified);
      await writeFileAtomically(
        join(directory, verifiedFile),
        verdicts.map((verdict) => `${JSON.stringify(verdict)}\n`).join(''),
      );
      const sum = (key: 'promptTokens' | 'completionTokens') =>
        verified.reduce((total, { usage }) => total + usage[key], 0);
      return {
        outputs: [verifiedFile],
        metrics: {
          samples: samples.length,
          answers: verified.length,
          promptTokens: sum('promptTokens'),
          completionTokens: sum('completionTokens'),
        },
      };
    },
  });
  const { answers: asked = 0, promptTokens = 0, completionTokens = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), samples: samples.length, answers: asked, promptTokens, completionTokens };
}
