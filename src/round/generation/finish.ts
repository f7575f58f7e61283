import { readdir } from 'node:fs/promises';
import { runStepOnce } from '../../core/manifest.ts';
import { writeFileAtomically } from '../../core/write-file.ts';
import { generationRequest } from '../../generation/sample-requests.ts';
import { readCallLog } from '../../teacher/call-log.ts';
import { countChunks, readChunk } from '../../teacher/chunks.ts';
import { readLedger } from '../../teacher/ledger.ts';
import { outcomeOf } from '../outcome-of.ts';
import type { GenerateOutcome } from '../outcomes.ts';
import type { StepContext } from '../step-context.ts';
import { generationStep } from './begin.ts';
import { type GenerationFolder, generationFolder, rawAnswersFile, readPlan } from './folder.ts';
import { shareCalls } from './share-calls.ts';

interface JoinedAnswers {
  answers: number;
  refusals: number;
  promptTokens: number;
  completionTokens: number;
}

/**
 * Joins the answers to all chunks in one file, in the order of the requests, whoever asked them and when. The calls
 * stay where they are: the file can be made of them again at no cost.
 */
export async function finishGeneration(context: StepContext): Promise<GenerateOutcome> {
  const { run, round } = context;
  const folder = await generationFolder(context);
  const done = await runStepOnce({
    ...(await generationStep(context, folder)),
    work: async () => {
      await shareCalls(run, { ...folder, purpose: 'generate' });
      const { chunks } = await readPlan(folder.planFile);
      const joined: JoinedAnswers = { answers: 0, refusals: 0, promptTokens: 0, completionTokens: 0 };
      await writeFileAtomically(folder.resultFile, joinChunks(folder, joined, context.signal));
      const ledger = await readLedger(run.root);
      const own = [...ledger.bySource.values()].filter(({ source }) => source.startsWith(`round-${round}/generate/`));
      return {
        outputs: [rawAnswersFile],
        metrics: {
          ...joined,
          unanswered: chunks.requests - joined.answers,
          cost: own.reduce((sum, { cost }) => sum + cost, 0),
          chunkSize: chunks.size,
        },
      };
    },
  });
  const { answers = 0, unanswered = 0, promptTokens = 0, completionTokens = 0, cost = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), answers, unanswered, promptTokens, completionTokens, cost };
}

async function* joinChunks(
  { calls, planFile, requestsFile }: GenerationFolder,
  joined: JoinedAnswers,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const { chunks } = await readPlan(planFile);
  const files = await readdir(calls).catch(() => []);
  const filesOf = new Map<number, string[]>();
  for (const name of files) {
    const chunk = Number(/^chunk-(\d+)\./.exec(name)?.[1] ?? -1);
    filesOf.set(chunk, [...(filesOf.get(chunk) ?? []), name]);
  }
  for (let chunk = 0; chunk < countChunks(chunks); chunk += 1) {
    signal.throwIfAborted();
    const { answers } = await readCallLog(calls, chunk, filesOf.get(chunk) ?? []);
    let lines = '';
    for (const { id } of await readChunk(requestsFile, chunks, chunk, generationRequest)) {
      const answer = answers.get(id);
      if (!answer) continue;
      joined.answers += 1;
      joined.refusals += answer.refusal === undefined ? 0 : 1;
      joined.promptTokens += answer.usage.promptTokens;
      joined.completionTokens += answer.usage.completionTokens;
      lines += `${JSON.stringify(answer)}\n`;
    }
    yield lines;
  }
}
