/**
 * How one chunk is asked: as one activity, or as batches that the teacher works off by itself.
 */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { ChunkReference, StepReference } from '../activities/references.ts';
import type { TeacherActivities } from '../activities/teacher.ts';
import type { AskedChunks } from '../src/round/asking/ask-chunks.ts';
import type { GenerationPlan } from '../src/round/asking/plan.ts';
import type { AskedChunk } from '../src/teacher/teacher-chunk.ts';
import { servedTeacherActivities, teacherActivities } from './activity-options.ts';
import type { OpenChunk } from './inputs.ts';

export class TeacherCalls {
  /** A next execution continues with the batches under way; otherwise a batch is cancelled with its chunk. */
  areHandedOver = false;
  private readonly taskQueue: string;
  private readonly reference: StepReference;
  private readonly purpose: Pick<ChunkReference, 'purpose'>;

  constructor(taskQueue: string, reference: StepReference, purpose: ChunkReference['purpose']) {
    this.taskQueue = taskQueue;
    this.reference = reference;
    this.purpose = purpose === undefined ? {} : { purpose };
  }

  /**
   * Leaves the batches under way to the next execution.
   *
   * @returns false where chunks are no batches: they end before the next execution starts
   */
  handOver({ mode }: GenerationPlan): boolean {
    this.areHandedOver = mode === 'batch';
    return this.areHandedOver;
  }

  /**
   * Asks a chunk. A teacher that a GPU worker serves is asked all chunks from this one on, while its server runs.
   *
   * @param allowance what that may cost since the generation was started; undefined: anything
   */
  async ask(plan: GenerationPlan, open: OpenChunk, allowance: number | undefined): Promise<AskedChunks> {
    const { reference, purpose } = this;
    const { chunk } = open;
    const input = { ...reference, ...purpose, chunk, allowance };
    if (plan.servedOn !== undefined) return servedTeacherActivities(plan.servedOn).askServedChunks(input);
    const { outOfBudget, answered, givenUp, cost } =
      plan.mode === 'batch'
        ? await this.askInBatches(plan, open, allowance)
        : await this.teacher(`Ask chunk ${chunk + 1} of ${plan.chunks}`).askChunk(input);
    return outOfBudget ? { answered: 0, givenUp: 0, cost: 0, left: { chunk, cost } } : { answered, givenUp, cost };
  }

  /** Submits batches until each request of the chunk has its answer; `open` says which batch is under way. */
  private async askInBatches(
    plan: GenerationPlan,
    open: OpenChunk,
    allowance: number | undefined,
  ): Promise<AskedChunk> {
    const { reference, purpose } = this;
    const { chunk } = open;
    for (;;) {
      const submitted =
        open.batch === undefined
          ? await this.teacher(`Submit batch ${chunk + 1} of ${plan.chunks}`).submitBatch({
              ...reference,
              ...purpose,
              chunk,
              allowance,
            })
          : { batch: open.batch };
      if (submitted.batch === undefined) return submitted.chunk;
      const { batch } = submitted;
      open.batch = batch;
      await this.untilBatchEnds({ batch, chunk }, plan.poll);
      await this.teacher(`Collect ${batch}`).collectBatch({ ...reference, ...purpose, chunk, batch });
      open.batch = undefined;
    }
  }

  /** No worker is held while a batch is under way: the server has the timer. */
  private async untilBatchEnds(
    { batch, chunk }: { batch: string; chunk: number },
    poll: GenerationPlan['poll'],
  ): Promise<void> {
    const { reference } = this;
    try {
      let { seconds } = poll;
      while (!(await this.teacher(`Check ${batch}`).checkBatch({ ...reference, batch, chunk })).ended) {
        await sleep(seconds * 1000, { summary: `Until ${batch} is checked again` });
        seconds = Math.min(poll.maximumSeconds, seconds * 1.5);
      }
    } catch (error) {
      if (isCancellation(error) && !this.areHandedOver) {
        await CancellationScope.nonCancellable(() =>
          this.teacher(`Cancel ${batch}`).cancelBatch({ ...reference, batch }),
        );
      }
      throw error;
    }
  }

  private teacher(summary: string): TeacherActivities {
    return teacherActivities(this.taskQueue, summary);
  }
}
