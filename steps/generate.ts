import { join } from 'node:path';
import { generateAnswers } from '../generation/generate.ts';
import { readRequests } from '../generation/generation-request.ts';
import { buildMessages } from '../generation/prompt.ts';
import { readPromptTemplate } from '../generation/prompt-template.ts';
import { readQuestionTypes } from '../generation/question-types.ts';
import { hashFile } from '../store/hash.ts';
import { runStepOnce } from '../store/manifest.ts';
import { stepDirectory } from '../store/run-directory.ts';
import { finishedStep } from './finished-step.ts';
import { outcomeOf } from './outcome-of.ts';
import type { GenerateOutcome } from './outcomes.ts';
import { withPool } from './pool.ts';
import { requireDataRound } from './require-data-round.ts';
import { requestsFile } from './sample.ts';
import type { StepContext } from './step-context.ts';
import { teacherIdentity, withTeacher } from './teacher.ts';

export const rawAnswersFile = 'gptvqa_result.jsonl';

/** Asks the teacher for each of the round's requests. An interrupted attempt asks only for what is missing. */
export async function generate(context: StepContext): Promise<GenerateOutcome> {
  const { config, run, round, signal, onProgress } = context;
  requireDataRound(round, 'generate');
  const sampled = await finishedStep(run, round, 'sample');
  const template = await readPromptTemplate(config.teacher.prompt);
  const directory = stepDirectory(run, round, 'generate');
  const done = await runStepOnce({
    directory,
    step: 'generate',
    inputs: {
      requests: sampled.manifest.outputs[requestsFile],
      prompt: template.hash,
      questionTypes: await hashFile(config.data.questionTypes),
      teacher: teacherIdentity(config.teacher),
    },
    work: async () => {
      const types = await readQuestionTypes(config.data.questionTypes);
      const requests = await readRequests(join(sampled.directory, requestsFile));
      const startedAt = Date.now();
      let answeredAtStart: number | undefined;
      const { answered, promptTokens, completionTokens } = await withPool(config, (coco) =>
        withTeacher(context, (ask) =>
          generateAnswers({
            requests,
            resultFile: join(directory, rawAnswersFile),
            concurrency: config.teacher.concurrency,
            signal,
            ask: async (request, signal) => {
              const picture = await coco.read(request.image_id);
              return ask(buildMessages({ request, picture, types, template }), { signal, seed: request.seed });
            },
            onProgress: ({ answered, total }) => {
              answeredAtStart ??= answered;
              onProgress({
                step: answered,
                steps: total,
                etaSeconds: secondsLeft(startedAt, answered - answeredAtStart, total - answered),
              });
            },
          }),
        ),
      );
      return { outputs: [rawAnswersFile], metrics: { answers: answered, promptTokens, completionTokens } };
    },
  });
  const { answers = 0, promptTokens = 0, completionTokens = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), answers, promptTokens, completionTokens };
}

function secondsLeft(startedAt: number, finished: number, left: number): number | undefined {
  return finished === 0 ? undefined : ((Date.now() - startedAt) / 1000 / finished) * left;
}
