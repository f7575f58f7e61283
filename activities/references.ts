/**
 * The inputs of activities: references to the data, never the data. Whoever may start an activity writes them, so each is
 * parsed before anything is done with it.
 */
import { z } from 'zod';
import { exifModes } from '../src/core/images/image-kind.ts';
import { valueIn } from '../src/core/records.ts';
import { answerModes, metricNames, promptNames, tableFormats } from '../src/evaluation/benchmarks/index.ts';
import { questionTypesSchema } from '../src/generation/question-type.ts';
import type { TypesApproval } from '../src/round/discover/type-lists.ts';
import type { Verdict } from '../src/round/gate/gate.ts';
import { endpointEvaluationInputSchema } from '../workflows/endpoint-input.ts';
import {
  dataEngineInputSchema,
  parseInput,
  promptOptimizationInputSchema,
  roundSummarySchema,
} from '../workflows/inputs.ts';
import { ownerReferenceSchema } from '../workflows/owner-reference.ts';
import { pruneInputSchema } from '../workflows/prune-input.ts';

const count = z.int().nonnegative();
const id = z.string().min(1).max(1000);
/** It becomes a part of paths, and of the address of a request to the teacher. */
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,255}$/, 'use letters, digits, ".", "_", ":" and "-"');
const runName = dataEngineInputSchema.shape.run;

export type StepReference = z.output<typeof stepReference>;
const stepReference = z.strictObject({
  /** Absolute path or URI (`s3://…/runs/<run>`); its `config.json` is the frozen config of the run. */
  runDirectory: z.string().min(1).max(4096),
  round: count,
  /** Whose work it is; of a workflow of an earlier version it is not said, and not looked at. */
  owner: ownerReferenceSchema.optional(),
});

export type EvaluateShardReference = z.output<typeof evaluateShardReference>;
const evaluateShardReference = stepReference.extend({
  /** Name of the evaluation set: `validation`, `test` or a benchmark's. */
  set: name,
  shard: count,
});

export type EmbedShardReference = z.output<typeof embedShardReference>;
const embedShardReference = stepReference.extend({ shard: count });

export type GateReference = z.output<typeof gateReference>;
const gateReference = stepReference.extend({
  /** A person's decision, or the default after nobody decided in time. */
  given: z
    .strictObject({
      decision: z.enum(['accept', 'reject', 'gate']),
      by: z.enum(['person', 'default']),
      comment: z.string().max(10_000).optional(),
    })
    .optional() satisfies z.ZodType<Verdict | undefined>,
});

export type ApproveTypesReference = z.output<typeof approveTypesReference>;
const approveTypesReference = stepReference.extend({
  given: z.strictObject({
    by: z.enum(['person', 'default']),
    /** Instead of those in the run's folder. */
    types: questionTypesSchema.optional(),
    comment: z.string().max(10_000).optional(),
  }) satisfies z.ZodType<TypesApproval>,
});

/** A chunk of a round's requests to the teacher. */
export type ChunkReference = z.output<typeof chunkReference>;
const chunkReference = stepReference.extend({
  chunk: count,
  /** generate: for new samples. verify: about them. judge: about the model's answers. Default: generate. */
  purpose: z.enum(['generate', 'verify', 'judge']).optional(),
  /** What it may cost since the generation was started, in the currency of the prices; absent without a budget. */
  allowance: z.number().optional(),
});

/** A queue of the run's. */
export type QueueReference = z.output<typeof queueReference>;
const queueReference = stepReference.extend({ queue: z.string().min(1).max(1000) });

/** A notification for people. */
export type NotificationReference = z.output<typeof notificationReference>;
const notificationReference = stepReference.extend({ text: z.string().max(100_000) });

/** The options of an evaluation of a server, as the library takes them. */
export type EndpointEvaluationReference = z.output<typeof endpointEvaluationReference>;
const endpointEvaluationReference = endpointEvaluationInputSchema.omit({ teacherQueue: true }).extend({
  answers: z.enum(answerModes).optional(),
  prompt: z.enum(promptNames).optional(),
  metric: z.enum(metricNames).optional(),
  format: z.enum(tableFormats).optional(),
  exif: z.enum(exifModes).optional(),
});

/** A batch at the teacher. */
export type BatchReference = z.output<typeof batchReference>;
const batchReference = stepReference.extend({ batch: name });

/** A batch that is looked at for a chunk. */
export type CheckBatchReference = z.output<typeof checkBatchReference>;
/** Workflows of earlier versions name no chunk. */
const checkBatchReference = batchReference.extend({ chunk: count.optional() });

const sampleVerdict = z.strictObject({
  sample: id,
  verdict: z.enum(['good', 'bad']),
  comment: z.string().max(10_000).optional(),
});

/** The input of each activity, by the activity's name; the others take a `StepReference`. */
const inputs: Readonly<Record<string, z.ZodType>> = {
  prepareRun: dataEngineInputSchema.omit({ state: true }).extend({ workflowId: id, scheduledBy: id.optional() }),
  preparePromptOptimization: promptOptimizationInputSchema.extend({ workflowId: id }),
  recordRound: stepReference.extend({ summary: roundSummarySchema }),
  recordTopUp: stepReference.extend({ id, amount: z.number().positive() }),
  gate: gateReference,
  approveTypes: approveTypesReference,
  notify: notificationReference,
  lookForWorkers: queueReference,
  prune: pruneInputSchema,
  evaluateShard: evaluateShardReference,
  embedShard: embedShardReference,
  askChunk: chunkReference,
  askServedChunks: chunkReference,
  submitBatch: chunkReference,
  checkBatch: checkBatchReference,
  collectBatch: batchReference.extend(chunkReference.pick({ chunk: true, purpose: true }).shape),
  cancelBatch: batchReference,
  evaluateEndpoint: endpointEvaluationReference,
  makePromptSamples: stepReference.extend({ iteration: count, count: z.int().positive(), forRun: runName }),
  revisePrompt: stepReference.extend({
    iteration: count,
    verdicts: z.array(sampleVerdict),
    comment: z.string().max(10_000).optional(),
  }),
  acceptPrompt: stepReference.extend({ iteration: count, forRun: runName }),
};

/** The activities, each parsing its input first. */
export function withParsedInputs<A extends { [Name in keyof A]: (input: never) => Promise<unknown> }>(
  activities: A,
): A {
  const parsing = Object.entries<(input: never) => Promise<unknown>>(activities).map(([activity, work]) => {
    const schema = valueIn(inputs, activity) ?? stepReference;
    const take = async (input: unknown) => work(parseInput(schema, input) as never);
    return [activity, take];
  });
  return Object.fromEntries(parsing) as A;
}
