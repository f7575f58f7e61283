/**
 * `dataengine merge`: a round's step, or, with `--base`, `--adapter` and `--output`, any pair.
 */
import { type Command, Option } from 'commander';
import { mergeDtypes } from '../src/config/merge-schema.ts';
import type { Config } from '../src/config/schema.ts';
import { addConfigOptions, type ConfigOptions, integer, missingOption } from './options.ts';
import { addTakeoverOption, type TakeoverOption } from './own-run.ts';
import { createProgressDisplay } from './progress-display.ts';
import { tell } from './say.ts';
import { runStepCommand } from './step-commands.ts';

interface MergeOptions extends Omit<ConfigOptions, 'config'>, TakeoverOption {
  config?: string;
  round: number;
  base?: string;
  adapter?: string;
  output?: string;
  dtype: Config['merge']['dtype'];
  trainer: Config['trainer'];
}

const STALL_TIMEOUT_SECONDS = 600;

/** Adds `dataengine merge`. */
export function addMergeCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command('merge')
    .description("merge a round's adapter into the base model, or with --base any adapter into any model");
  addTakeoverOption(addConfigOptions(command, { required: false }))
    .option('--round <number>', 'round', integer(0), 0)
    .option('--base <folder>', 'model directory')
    .option('--adapter <folder>', 'PEFT adapter, with --base')
    .option('--output <folder>', 'the model directory to write, with --base')
    .addOption(
      new Option('--dtype <name>', "data type of the model's weights, with --base")
        .choices(mergeDtypes)
        .default('base'),
    )
    .addOption(
      new Option('--trainer <name>', 'what merges, with --base')
        .choices(['tensorflow', 'torchrun'])
        .default('tensorflow'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  dataengine merge --config configs/demo.yaml --round 0\n' +
        '  dataengine merge --base data/minigpt4-7b --adapter adapters/7b-qma --output models/7b-qma',
    )
    .action(({ base, adapter, output, dtype, trainer, config, ...step }: MergeOptions) => {
      if (base !== undefined || adapter !== undefined || output !== undefined) {
        return mergePair({ base, adapter, output, dtype }, trainer, signal);
      }
      if (config === undefined) throw missingOption('--config', 'or --base, --adapter and --output');
      const load = async () => (await import('../src/round/merge/merge.ts')).mergeAgain;
      return runStepCommand('merge', load, { ...step, config }, signal);
    });
}

async function mergePair(
  { base, adapter, output, dtype }: Pick<MergeOptions, 'base' | 'adapter' | 'output' | 'dtype'>,
  trainer: Config['trainer'],
  signal: AbortSignal,
): Promise<void> {
  if (base === undefined) throw missingOption('--base', 'with --adapter and --output');
  if (adapter === undefined) throw missingOption('--adapter', 'with --base and --output');
  if (output === undefined) throw missingOption('--output', 'with --base and --adapter');
  const pair = await import('../src/round/merge/merge-pair.ts');
  const display = createProgressDisplay();
  try {
    const { parity } = await pair.mergePair({
      base,
      adapter,
      output,
      dtype,
      context: {
        config: { trainer, temporal: { stallTimeoutSeconds: STALL_TIMEOUT_SECONDS } },
        onProgress: (progress) => display.show('merge', progress),
        signal,
      },
    });
    display.stop();
    tell(`${output}: logits within ${parity.toExponential(1)} of base + adapter`);
  } finally {
    display.stop();
  }
}
