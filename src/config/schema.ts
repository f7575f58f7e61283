import { z } from 'zod';
import { dataSchema } from './data-schema.ts';
import { evaluateSchema } from './evaluate-schema.ts';
import { finetuneSchema } from './finetune-schema.ts';
import { gateSchema, stopSchema } from './gate-schema.ts';
import { refineSchema, samplingSchema, verifySchema } from './sample-schemas.ts';
import { teacherSchema } from './teacher-schema.ts';
import { notifySchema, temporalSchema } from './workflow-schemas.ts';

const path = z.string().min(1);

/**
 * A run's configuration. Every key has a default, the reference system's figure where it has one, but for
 * the model and the data.
 */
export const configSchema = z
  .strictObject({
    extends: path
      .optional()
      .describe('Another config, relative to this file; what is said here goes before what it says.'),
    run: z.string().min(1).optional().describe("The run's name, the folder under runsDirectory."),
    seed: z
      .int()
      .default(42)
      .describe('Of everything that is drawn by chance: the same seed and inputs give the same data.'),
    rounds: z.int().nonnegative().default(2).describe('Data-engine rounds after round 0, the base finetune.'),
    runsDirectory: path.default('runs').describe('Where each run has its folder.'),
    store: z
      .string()
      .regex(/^s3:\/\/[^/\s]+(\/[^\s]*)?$/, 'write s3://bucket or s3://bucket/prefix')
      .optional()
      .describe(
        'Where runs lie that several machines work on, s3://bucket/prefix; runsDirectory is then what each machine has of ' +
          'them on its disk. Default: there only. Credentials come from the environment of each worker.',
      ),
    cacheDirectory: path
      .default('.cache')
      .describe('What is computed once and used by all runs, by content hash. Safe to remove.'),
    model: z.strictObject({
      path: path.describe(
        'Model directory in Hugging Face format: MiniGPT-4 or LLaVA-1.5; with trainer: torchrun any vision-language model.',
      ),
    }),
    trainer: z
      .enum(['tensorflow', 'torchrun'])
      .default('tensorflow')
      .describe(
        'What finetunes, merges and scores. torchrun: PyTorch, over several processes; needs `dataengine setup --torch`.',
      ),
    processes: z
      .int()
      .positive()
      .default(1)
      .describe('torchrun: processes that share a finetune or an evaluation; one a GPU.'),
    sharding: z
      .enum(['none', 'fsdp', 'deepspeed'])
      .default('none')
      .describe(
        'torchrun: each process keeps its part of the weights only, for models that do not fit one GPU. fsdp: PyTorch FSDP2; deepspeed: DeepSpeed ZeRO-3, needs `dataengine setup --deepspeed`.',
      ),
    data: dataSchema,
    finetune: finetuneSchema,
    evaluate: evaluateSchema.prefault({}),
    sampling: samplingSchema.prefault({}),
    teacher: teacherSchema.prefault({}),
    verify: verifySchema.prefault({}),
    refine: refineSchema.prefault({}),
    gate: gateSchema.prefault({}),
    stop: stopSchema.prefault({}),
    temporal: temporalSchema.prefault({}),
    notify: notifySchema.prefault({}),
  })
  .refine(({ trainer, processes }) => trainer === 'torchrun' || processes === 1, {
    path: ['processes'],
    message: 'more than one needs trainer: torchrun',
  })
  .refine(({ trainer, sharding }) => trainer === 'torchrun' || sharding === 'none', {
    path: ['sharding'],
    message: 'needs trainer: torchrun; the TensorFlow trainer keeps the whole model on one GPU',
  })
  .meta({ title: 'MLLM-DataEngine configuration' });

/** A checked configuration, all defaults filled in. */
export type Config = z.output<typeof configSchema>;

/**
 * The schema as JSON Schema, for editors: what a person may write, so a key with a default is optional, and so
 * is every key of a file that extends another.
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
