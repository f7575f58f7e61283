/**
 * The activities that wait for the teacher. They have a queue and slots of their own: they hold a slot for long, and take
 * hardly any processor time.
 */
import { Context } from '@temporalio/activity';
import type { Scores } from '../src/evaluation/evaluation-files.ts';
import {
  askWorkChunk,
  cancelWorkBatch,
  collectWorkBatch,
  readWorkBatch,
  submitWorkBatch,
} from '../src/round/asking/chunk.ts';
import { evaluateEndpointForWorker } from '../src/round/evaluate/evaluate-for-worker.ts';
import { requireTeacher } from '../src/round/preflight/teacher-server.ts';
import type { BatchState, SubmittedBatch } from '../src/teacher/batches.ts';
import type { AskedChunk } from '../src/teacher/teacher-chunk.ts';
import type { EndpointEvaluationInput } from '../workflows/endpoint-input.ts';
import type { EndpointEvaluation } from '../workflows/messages.ts';
import { withHeartbeat } from './heartbeat.ts';
import { createPromptRequests, type PromptRequests } from './prompt.ts';
import {
  type BatchReference,
  type CheckBatchReference,
  type ChunkReference,
  type EndpointEvaluationReference,
  type StepReference,
  withParsedInputs,
} from './references.ts';
import { reportTeacher } from './report-teacher.ts';
import { type ActivityDependencies, asActivity, runStep } from './run-step.ts';

export interface TeacherActivities extends PromptRequests {
  /** Looks whether there is a key, and the teacher answers and knows its model. @returns what a person should know */
  checkTeacher(reference: StepReference): Promise<{ notes: string[] }>;
  askChunk(reference: ChunkReference): Promise<AskedChunk>;
  submitBatch(reference: ChunkReference): Promise<SubmittedBatch>;
  checkBatch(reference: CheckBatchReference): Promise<BatchState>;
  collectBatch(reference: BatchReference & Pick<ChunkReference, 'chunk' | 'purpose'>): Promise<AskedChunk>;
  cancelBatch(reference: BatchReference): Promise<void>;
  /** Has a server answer the questions of a benchmark. An attempt resumes after the last answer of those before it. */
  evaluateEndpoint(input: Omit<EndpointEvaluationInput, 'teacherQueue'>): Promise<EndpointEvaluation>;
}

/** Attempts without an answer: a quarter of an hour or more, in which the server may be started again. */
const endpointAttempts = { maxAttemptsWithoutProgress: 10 };

/** Makes the activities of the queue for the teacher. */
export function createTeacherActivities(dependencies: ActivityDependencies): TeacherActivities {
  return withParsedInputs({
    checkTeacher: (reference) => runStep(reference, dependencies, requireTeacher),
    askChunk: ({ chunk, allowance, purpose, ...reference }) =>
      runStep(reference, dependencies, (context) => askWorkChunk(context, { chunk, allowance, purpose }), said(chunk)),
    submitBatch: ({ chunk, allowance, purpose, ...reference }) =>
      runStep(
        reference,
        dependencies,
        (context) => submitWorkBatch(context, { chunk, allowance, purpose }),
        said(chunk),
      ),
    checkBatch: ({ chunk, batch, ...reference }) =>
      runStep(
        reference,
        dependencies,
        (context) => readWorkBatch(context, { batch }),
        chunk === undefined ? {} : said(chunk),
      ),
    collectBatch: ({ chunk, batch, purpose, ...reference }) =>
      runStep(reference, dependencies, (context) => collectWorkBatch(context, { chunk, batch, purpose }), said(chunk)),
    cancelBatch: ({ batch, ...reference }) =>
      runStep(reference, dependencies, (context) => cancelWorkBatch(context, { batch })),
    evaluateEndpoint: (input) =>
      asActivity(() =>
        withHeartbeat(
          0,
          async (onProgress) => {
            const { cancellationSignal: signal } = Context.current();
            const { settings: access } = dependencies;
            const parsed = input as EndpointEvaluationReference;
            const { scores, folder } = await evaluateEndpointForWorker(parsed, { access, signal, onProgress });
            return { scores: withoutGroups(scores), folder };
          },
          endpointAttempts,
        ),
      ),
    ...createPromptRequests(dependencies),
  });
}

/** A teacher that gives no answers is still tried: meanwhile the workflow says so. */
function said(chunk: number) {
  return { onStandstill: (problem: string | undefined) => reportTeacher(chunk, problem) };
}

/** Payloads stay small: a benchmark may have dozens of groups. */
function withoutGroups({ measures, combined, ...scores }: Scores): Scores {
  const plain = <Value extends object>(values: Record<string, Value>, groups: object) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { ...value, ...groups }]));
  return {
    ...scores,
    measures: plain(measures, { groups: {} }),
    ...(combined && { combined: plain(combined, { groups: undefined }) }),
  };
}
