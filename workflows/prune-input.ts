/** The input of `dataEnginePrune`, which its activity takes too. */
import { z } from 'zod';
import { dataEngineInputSchema } from './inputs.ts';

const text = z.string().min(1).max(4096);

/**
 * Which run is pruned: that of a config, by the config's `retention`, or the one of a folder or an address, by its own.
 * `temporal workflow start --type dataEnginePrune --input '{"config":"configs/demo.yaml","run":"nightly"}'`
 */
export type PruneInput = z.output<typeof pruneInputSchema>;
export const pruneInputSchema = z
  .strictObject({
    config: text.optional().describe('YAML config, as the CPU workers see it.'),
    run: dataEngineInputSchema.shape.run.describe("The run's name. Default: the config's."),
    dataRoot: text.optional().describe("Instead of the config's data.root."),
    runDirectory: text.optional().describe('Instead of a config: absolute path of the run, or s3://…/runs/<run>.'),
    dryRun: z.boolean().optional().describe('Only says what would be removed.'),
  })
  .refine(({ config, runDirectory }) => (config === undefined) !== (runDirectory === undefined), {
    message: 'give one of config and runDirectory',
    path: ['config'],
  });
