import { z } from 'zod';
import { storeUri } from '../core/remote/store-uri.ts';
import { runNamePattern, runNameRule } from '../core/run-directory.ts';
import { pathIn } from './config-paths.ts';
import { dataSchema } from './data-schema.ts';
import { evaluateSchema } from './evaluate-schema.ts';
import { finetuneSchema } from './finetune-schema.ts';
import { gateSchema, stopSchema } from './gate-schema.ts';
import { imageSchema } from './image-schema.ts';
import { mergeSchema } from './merge-schema.ts';
import { questionTypesSchema } from './question-types-schema.ts';
import { retentionSchema } from './retention-schema.ts';
import { refineSchema, samplingSchema, verifySchema } from './sample-schemas.ts';
import { teacherSchema } from './teacher-schema.ts';
import { trackingSchema } from './tracking-schema.ts';
import { refusedTraining } from './trained-ways.ts';
import { notifySchema, temporalSchema } from './workflow-schemas.ts';

/**
 * A run's configuration. Every key except for the model and the data has a default, which is the reference system's
 * figure where that has one.
 */
export const configSchema = z
  .strictObject({
    extends: pathIn('configs')
      .optional()
      .describe('Another config, relative to this file; keys of this file override its keys.'),
    run: z
      .string()
      .regex(runNamePattern, runNameRule)
      .optional()
      .describe(
        "The run's name, the folder under runsDirectory. Default: the workflow's id; of commands, the name of the config's file.",
      ),
    seed: z
      .int()
      .nonnegative()
      .default(42)
      .describe('Seed of all random draws: the same seed and inputs give the same data.'),
    rounds: z.int().nonnegative().default(2).describe('Data-engine rounds after round 0, the base finetune.'),
    runsDirectory: pathIn('runs')
      .default('runs')
      .describe('Folder of the run folders. The default is in the folder of the config.'),
    store: storeUri
      .optional()
      .describe(
        'Object store of the runs, s3://bucket/prefix, for several machines; runsDirectory is then the local copy of each ' +
          'machine. Default: none, runsDirectory only. Credentials come from the environment of each worker.',
      ),
    cacheDirectory: pathIn('cache')
      .default('.cache')
      .describe('Cache of results that all runs share, by content hash. Safe to remove.'),
    model: z.strictObject({
      path: pathIn('models').describe(
        'Model directory in Hugging Face format: MiniGPT-4 or LLaVA-1.5; with trainer: torchrun a vision-language model of the families that docs/torchrun.md lists.',
      ),
      hubId: z
        .string()
        .regex(/^[\w.-]{1,96}\/[\w.-]{1,96}$/, 'must be owner/name')
        .optional()
        .describe(
          'The model on the Hub, owner/name: adapters name it as their base model. Default: path, as it is from the folder that the run was started in.',
        ),
      tokenBoundaries: z
        .enum(['separate', 'reference'])
        .default('separate')
        .describe(
          'Where texts of MiniGPT-4 are split before they are tokenized. separate: at the image and before the answer. reference: as the reference system trains and ranks, with question and answer as one text.',
        ),
      image: imageSchema
        .optional()
        .describe(
          "torchrun: how large the model sees images, in training, evaluation and embedding; written into the merged model. Default: as the model's files say.",
        ),
    }),
    trainer: z
      .enum(['tensorflow', 'torchrun'])
      .default('tensorflow')
      .describe(
        'Program that finetunes, merges and scores. torchrun: PyTorch, over several processes; requires `dataengine setup --torch`.',
      ),
    processes: z.int().positive().default(1).describe('torchrun: processes per finetune or evaluation, one per GPU.'),
    sharding: z
      .enum(['none', 'fsdp', 'deepspeed'])
      .default('none')
      .describe(
        'torchrun: each process keeps only its shard of the weights, for models that do not fit one GPU. fsdp: PyTorch FSDP2. deepspeed: DeepSpeed ZeRO-3, requires `dataengine setup --deepspeed`.',
      ),
    data: dataSchema,
    finetune: finetuneSchema,
    merge: mergeSchema,
    evaluate: evaluateSchema.prefault({}),
    sampling: samplingSchema.prefault({}),
    teacher: teacherSchema.prefault({}),
    verify: verifySchema.prefault({}),
    refine: refineSchema.prefault({}),
    questionTypes: questionTypesSchema.prefault({}),
    gate: gateSchema.prefault({}),
    stop: stopSchema.prefault({}),
    temporal: temporalSchema.prefault({}),
    notify: notifySchema.prefault({}),
    tracking: trackingSchema
      .optional()
      .describe(
        'A tracker of experiments that gets the figures of each finished round (docs/tracking.md). Default: none.',
      ),
    retention: retentionSchema
      .optional()
      .describe(
        'What a run keeps (docs/retention.md). Where the section is given, each finished round removes the rest. Default: everything is kept until `dataengine prune` is called.',
      ),
  })
  .refine(({ trainer, model }) => trainer === 'torchrun' || model.image === undefined, {
    path: ['model', 'image'],
    message: 'requires trainer: torchrun; MiniGPT-4 and LLaVA-1.5 resize each image to one size',
  })
  .refine(({ trainer, evaluate }) => trainer === 'torchrun' || evaluate.keyValueCache, {
    path: ['evaluate', 'keyValueCache'],
    message: 'false requires trainer: torchrun; the TensorFlow trainer always keeps keys and values',
  })
  .refine(({ trainer, finetune }) => trainer === 'torchrun' || finetune.attention === undefined, {
    path: ['finetune', 'attention'],
    message: 'requires trainer: torchrun',
  })
  .refine(({ finetune }) => finetune.attention !== 'flash' || finetune.computeDtype === 'bfloat16', {
    path: ['finetune', 'attention'],
    message: 'flash requires finetune.computeDtype: bfloat16',
  })
  .refine(({ trainer, finetune }) => trainer === 'torchrun' || finetune.imageWorkers === undefined, {
    path: ['finetune', 'imageWorkers'],
    message: 'requires trainer: torchrun',
  })
  .refine(({ trainer, finetune }) => trainer === 'torchrun' || finetune.imageCacheGigabytes === undefined, {
    path: ['finetune', 'imageCacheGigabytes'],
    message: 'requires trainer: torchrun; the TensorFlow trainer keeps them in DATAENGINE_IMAGE_CACHE',
  })
  .refine(({ trainer, processes }) => trainer === 'torchrun' || processes === 1, {
    path: ['processes'],
    message: 'more than one requires trainer: torchrun',
  })
  .refine(({ trainer, sharding }) => trainer === 'torchrun' || sharding === 'none', {
    path: ['sharding'],
    message: 'requires trainer: torchrun; the TensorFlow trainer keeps the whole model on one GPU',
  })
  .superRefine((config, context) => {
    for (const { path, message } of refusedTraining(config)) {
      context.addIssue({ code: 'custom', path: ['finetune', ...path], message });
    }
  })
  .refine(({ trainer, gate, finetune }) => trainer !== 'tensorflow' || !gate.serving || !finetune.lora.dora, {
    path: ['gate', 'serving'],
    message: 'requires an adapter that is served unmerged, which those of finetune.lora.dora are not',
  })
  .refine(({ sharding, finetune }) => sharding !== 'deepspeed' || finetune.objective === 'sft', {
    path: ['finetune', 'objective'],
    message: 'dpo and sft+dpo are not supported with sharding: deepspeed; fsdp is',
  })
  .refine(({ runsDirectory, refine }) => refine.review === undefined || !runsDirectory.startsWith('s3://'), {
    path: ['refine', 'review'],
    message: 'requires a runsDirectory on a disk: samples of a run in a store are not reviewed',
  })
  .refine(({ model, gate }) => gate.serving === undefined || model.tokenBoundaries === 'separate', {
    path: ['gate', 'serving'],
    message: "requires model.tokenBoundaries: separate: no server splits texts as the reference system's ranking does",
  })
  .meta({ title: 'MLLM-DataEngine configuration' });

/** A validated configuration with all defaults filled in. */
export type Config = z.output<typeof configSchema>;

/**
 * The schema as JSON Schema, for editors: keys with a default are optional, and so are all keys of a file that extends
 * another one.
 */
export function configJsonSchema(): z.core.JSONSchema.BaseSchema {
  const { required, ...schema } = z.toJSONSchema(configSchema, { io: 'input' });
  const properties = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([key, section]) => {
      if (typeof section !== 'object') return [key, section];
      const { required: _required, ...optional } = section;
      return [key, optional];
    }),
  );
  return { ...schema, properties, anyOf: [{ required: ['extends'] }, { required }] };
}
