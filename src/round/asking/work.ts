/**
 * A list of requests to the teacher that is asked in chunks, within one budget and one set of limits.
 */
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import type { TeacherRequest } from '../../teacher/call-log.ts';
import { callFilesOf } from '../../teacher/call-log.ts';
import { readChunk } from '../../teacher/chunks.ts';
import { appendToLedger } from '../../teacher/ledger.ts';
import { costOf } from '../../teacher/prices.ts';
import { createTeacherAsker, type RequestForm } from '../../teacher/request-asker.ts';
import { type TeacherChunk, tokensOf } from '../../teacher/teacher-chunk.ts';
import type { StepContext } from '../step-context.ts';
import { connectTeacher, teacherOf } from '../teacher.ts';

/** What a list of requests is for. */
export type Purpose = 'generate' | 'verify' | 'judge';

export interface TeacherWork<Request extends TeacherRequest = TeacherRequest> {
  purpose: Purpose;
  /** The step's. */
  directory: string;
  /** One request a line. */
  requestsFile: string;
  schema: z.ZodType<Request>;
  planFile: string;
  /** Folder of the files of calls. */
  calls: string;
  /** How many requests a chunk of these calls has, where they outlive the plan. */
  sizeFile?: string;
  /** How the ledger names what a chunk costs. */
  ledgerSource(chunk: number): string;
  /** How these requests are made: no teacher is needed for that. */
  formOf(requests: readonly Request[]): Promise<RequestForm<Request>>;
}

const planSchema = z.object({
  chunks: z.object({ size: z.number(), requests: z.number(), offsets: z.array(z.number()) }),
  /** What chunks had cost when the work was started, or resumed. */
  costBefore: z.record(z.string(), z.number()),
});

/** Reads `plan.json`: where each chunk starts, and what it had cost. */
export function readPlan(file: string): Promise<z.output<typeof planSchema>> {
  return readJson(file, planSchema);
}

/** @param list `generate`, or `verify` with the list of requests */
export function ledgerSource(round: number, list: string, chunk: number): string {
  return `round-${round}/${list}/chunk-${String(chunk).padStart(6, '0')}`;
}

/** Opens a chunk for asking, with the calls that any machine has made for it. */
export async function openChunk<Request extends TeacherRequest>(
  context: StepContext,
  work: TeacherWork<Request>,
  number: number,
): Promise<TeacherChunk<Request>> {
  const { run } = context;
  await syncCalls(run, work, callFilesOf(number));
  const { chunks, costBefore } = await readPlan(work.planFile);
  const { settings, mode } = teacherOf(context);
  const price = await mode.price(settings);
  return {
    number,
    requests: await readChunk(work.requestsFile, chunks, number, work.schema),
    calls: work.calls,
    settings,
    run: run.stored?.uri ?? run.root,
    price,
    costBefore: costBefore[number] ?? 0,
    connect: (use) => connectTeacher(context, use),
    withAsker: async (requests, use) => {
      const form = await work.formOf(requests);
      return connectTeacher(context, (client) => use(createTeacherAsker({ ...form, client })));
    },
    account: (calls) => {
      const tokens = tokensOf(calls);
      return appendToLedger(run.root, {
        kind: 'spend',
        at: new Date().toISOString(),
        source: work.ledgerSource(number),
        model: settings.model,
        calls: calls.calls,
        failedCalls: calls.failedCalls,
        lostCalls: calls.unsettled.length,
        ...tokens,
        cost: costOf(price, tokens),
      });
    },
  };
}

/**
 * Downloads the calls that other machines have made so far, and uploads those made here as they come in: a worker that
 * takes a chunk over requests nothing that was answered. Does nothing for a run on this disk.
 *
 * @param files beginning of the names of the files that matter; default: all
 */
export async function syncCalls(
  { stored }: RunDirectory,
  { calls }: Pick<TeacherWork, 'calls'>,
  files = '',
): Promise<void> {
  await stored?.sync(calls, { startingWith: files });
}
