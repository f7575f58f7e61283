/**
 * What the terminal and the page share: the state of the workflow, with the samples that it refers to.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowUpdateFailedError } from '@temporalio/client';
import { readJsonLines } from '../../src/core/read-json.ts';
import { type PromptSample, promptSampleSchema } from '../../src/generation/prompt-optimization/prompt-samples.ts';
import { poolFolder } from '../../src/round/dataset-paths.ts';
import { readFrozenConfig } from '../../src/round/frozen-config.ts';
import type {
  PromptDecision,
  PromptOptimizationResult,
  PromptProgress,
  SampleVerdict,
} from '../../workflows/prompt-messages.ts';
import { ask, update as send } from '../temporal-client.ts';
import { describeUnattended, workersOf } from '../watch/activity-words.ts';
import { type Description, pendingActivities } from '../watch/pending-activities.ts';
import { retriedAfter } from '../watch/screen.ts';

/** A sample with the file of its image. */
export type ReviewedSample = PromptSample & { image: string };

export interface Review {
  workflowId: string;
  progress(): Promise<PromptProgress>;
  /** Waits until the workflow needs verdicts; undefined when it has ended. */
  waitForSamples(
    signal: AbortSignal,
    onWait?: (waitingFor: string) => void,
  ): Promise<{ progress: PromptProgress; samples: ReviewedSample[] } | undefined>;
  samples(progress: PromptProgress): Promise<ReviewedSample[]>;
  /** Why the teacher's answers are not there yet, where its last attempt failed or nobody works; undefined: they are being made. */
  waitingFor(): Promise<string | undefined>;
  /** @returns how many samples are left, or why the verdict was refused */
  judge(verdict: SampleVerdict): Promise<{ left: number } | { refused: string }>;
  decide(decision: PromptDecision): Promise<{ iteration: number } | { refused: string }>;
  result(): Promise<PromptOptimizationResult>;
}

const pollMilliseconds = 500;

/** Opens the workflow for review. @throws WorkflowNotFoundError at the first call, when there is none */
export function openReview(client: Client, workflowId: string): Review {
  const handle = client.workflow.getHandle(workflowId);
  const progress = () => ask<PromptProgress>(client, workflowId, 'progress');
  const update = async <R>(name: string, value: object): Promise<R | { refused: string }> => {
    try {
      return await send<R>(client, workflowId, name, value);
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) return { refused: error.cause?.message ?? error.message };
      throw error;
    }
  };

  async function samples({ current, directory }: PromptProgress): Promise<ReviewedSample[]> {
    if (current === undefined || directory === undefined) return [];
    const images = poolFolder(await readFrozenConfig(directory));
    const all = await readJsonLines(current.samplesFile, promptSampleSchema);
    const byId = new Map(all.map((sample) => [sample.id, sample]));
    const shown = current.samples.flatMap(({ id }) => byId.get(id) ?? []);
    return Promise.all(shown.map(async (sample) => ({ ...sample, image: await images.fileOf(sample.image_id) })));
  }

  return {
    workflowId,
    progress,
    samples,
    async waitForSamples(signal, onWait = () => undefined) {
      for (;;) {
        signal.throwIfAborted();
        const description = await handle.describe();
        if (description.status.name !== 'RUNNING') return undefined;
        const now = await progress();
        if (now.phase === 'waiting for verdicts') return { progress: now, samples: await samples(now) };
        const waiting = await reasonToWait(client, description);
        if (waiting !== undefined) onWait(waiting);
        await sleep(pollMilliseconds, undefined, { signal });
      }
    },
    waitingFor: async () => reasonToWait(client, await handle.describe()),
    judge: (verdict) => update('verdict', verdict),
    decide: (decision) => update('decide', decision),
    result: () => handle.result(),
  };
}

async function reasonToWait(client: Client, description: Description): Promise<string | undefined> {
  for (const activity of await pendingActivities(client, description)) {
    const { type, lastFailure, unattendedQueue } = activity;
    if (unattendedQueue !== undefined) return describeUnattended(workersOf(type, unattendedQueue));
    if (lastFailure !== undefined) return `It is ${retriedAfter(activity)}`;
  }
  return undefined;
}
