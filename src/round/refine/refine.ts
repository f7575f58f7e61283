import { join } from 'node:path';
import { runStepOnce } from '../../core/manifest.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { parserVersion } from '../../generation/parse-answer.ts';
import { answersTo, refineAnswers } from '../../generation/refine.ts';
import { readRequests } from '../../generation/sample-requests.ts';
import { verdictJudge, verdictSchema } from '../../generation/verdicts.ts';
import { readRawAnswers } from '../../teacher/call-log.ts';
import { engineDataFile, generatedData } from '../append/generated-data.ts';
import { evaluationFiles } from '../evaluation-set.ts';
import { finishedStep, requireRoundOf } from '../finished-step.ts';
import { lineageBefore } from '../gate/lineage.ts';
import { rawAnswersFile } from '../generate/results.ts';
import { requestsFile } from '../sample/results.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { verifiedFile } from '../verify/results.ts';
import { verifies } from '../verify/verify.ts';
import { keepRules } from './keep-rules.ts';
import type { RefineOutcome } from './results.ts';
import { rejectedByReasonFile, rejectedFile } from './results.ts';
import { fittingSamples, lengthCheck, lengthInputs } from './sample-length.ts';

/**
 * Parses and filters the teacher's answers, and drops what a round that is built upon has already, what would leak the
 * evaluation, and what is too long for the trainer. A new parser or other limits run this step again, over the raw answers that are there.
 */
export async function refine(context: StepContext): Promise<RefineOutcome> {
  const { config, run, round } = context;
  requireRoundOf('refine', round);
  const sampled = await finishedStep(run, round, 'sample');
  const generated = await finishedStep(run, round, 'generate');
  const earlier = await generatedData(run, await lineageBefore(context, round));
  const verified = verifies(config) ? await finishedStep(run, round, 'verify') : undefined;
  const { questions } = config.data.validation;
  const directory = stepDirectory(run, round, 'refine');
  const done = await runStepOnce({
    directory,
    step: 'refine',
    inputs: {
      requests: sampled.manifest.outputs[requestsFile],
      answers: generated.manifest.outputs[rawAnswersFile],
      earlier: earlier.map(({ hash }) => hash),
      parser: parserVersion,
      refine: config.refine,
      ...(questions && { questions }),
      length: await lengthInputs(config),
      verified: verified && { verdicts: verified.manifest.outputs[verifiedFile], limits: config.verify },
      evaluation: await evaluationFiles(context),
      seed: config.seed,
      round,
    },
    work: async () => {
      const requests = await readRequests(join(sampled.directory, requestsFile));
      const raw = await readRawAnswers(join(generated.directory, rawAnswersFile), requests);
      const answers = answersTo(requests, raw);
      const verdicts = verified ? await readJsonLines(join(verified.directory, verifiedFile), verdictSchema) : [];
      const seed = `${config.seed}/round-${round}`;
      const checkLength = await lengthCheck(config);
      const { samples, rejected, countsByReason } = refineAnswers({
        answers,
        judge: verdictJudge(verdicts, config.verify, seed),
        ...(await keepRules(context, answers, checkLength)),
        seed,
        instruction: questions?.instruction,
      });
      await writeJson(join(directory, engineDataFile(round)), await fittingSamples(samples, checkLength));
      await writeJsonLines(join(directory, rejectedFile), rejected);
      await writeJson(join(directory, rejectedByReasonFile), countsByReason);
      return {
        outputs: [engineDataFile(round), rejectedFile, rejectedByReasonFile],
        metrics: { accepted: samples.length, rejected: rejected.length },
      };
    },
  });
  const { accepted = 0, rejected = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), accepted, rejected };
}
