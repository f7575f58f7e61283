/**
 * Commands on models: assemble one from official checkpoints, plan the GPU memory of a config.
 */
import { type Command, Option } from 'commander';
import { pythonOfSetup } from '../../src/core/setup-file.ts';
import { integer } from '../options.ts';
import { createProgressDisplay } from '../progress-display.ts';
import { say, tell } from '../say.ts';
import { gpuBytes, gpuNames, parseBytes } from './gpu-memory.ts';
import { addImportLoraCommand } from './import-lora-command.ts';
import { addSmollm2Command } from './smollm2-command.ts';

const dtypes = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const;

/** Adds `dataengine model …`. */
export function addModelCommands(program: Command): void {
  const model = program.command('model').description('assemble and plan models');
  addPlanCommand(model);
  addAssembleCommand(model);
  addImportLoraCommand(model);
  addSmollm2Command(model);
}

function addAssembleCommand(model: Command): void {
  model
    .command('assemble')
    .description('assemble a MiniGPT-4 from a LLaMA, a BLIP-2 and a stage-1 checkpoint')
    .requiredOption('--llama <directory>', 'Vicuna or LLaMA in Hugging Face layout')
    .requiredOption('--blip2 <path>', 'BLIP-2 directory in Hugging Face layout, or blip2_pretrained_flant5xxl.pth')
    .option('--vision <file>', 'eva_vit_g.pth, when --blip2 is a .pth')
    .requiredOption('--projection <file>', "MiniGPT-4's stage-1 checkpoint, such as prerained_minigpt4_7b.pth")
    .requiredOption('--output <directory>', 'the model directory to write')
    .addOption(
      new Option('--dtype <type>', 'what weights are stored as').choices(Object.keys(dtypes)).default('float16'),
    )
    .addHelpText(
      'after',
      '\nExample:\n  dataengine model assemble --llama vicuna-7b --blip2 blip2-flan-t5-xxl \\\n' +
        '    --projection prerained_minigpt4_7b.pth --output data/minigpt4-7b\n\ndocs/official-checkpoints.md says where to get them.',
    )
    .action(async (options: AssembleOptions) => {
      const { assemble } = await import('../../src/model/families/minigpt4/assemble/assemble.ts');
      const display = createProgressDisplay();
      try {
        const { tensors, problem } = await assemble(
          { ...options, dtype: dtypes[options.dtype] },
          () => pythonOfSetup('python'),
          (step, steps) => display.show('tensors', { step, steps }),
        );
        display.stop();
        if (problem !== undefined) say(`${options.llama}: ${problem}`);
        tell(`${options.output}: ${tensors} tensors, ${options.dtype}`);
      } finally {
        display.stop();
      }
    });
}

function addPlanCommand(model: Command): void {
  model
    .command('plan')
    .argument('<config>', 'YAML config')
    .description('print the memory that the finetune of a config needs, and whether it fits a GPU')
    .option('--gpu <name>', gpuNames.join(', '))
    .option('--memory <size>', "a device's memory, as 24GB or 22.5GiB")
    .option('--tokens <number>', 'text tokens of the longest sample (default: finetune.maximumTokens)', integer(1))
    .addHelpText('after', '\nExample:\n  dataengine model plan configs/reference/7b-qma-base.yaml --gpu rtx-4090')
    .action(async (file: string, options: { gpu?: string; memory?: string; tokens?: number }) => {
      const { loadConfig } = await import('../../src/config/load-config.ts');
      const { formatPlan, planFinetune } = await import('./memory-plan.ts');
      const memory = options.gpu ? gpuBytes(options.gpu) : options.memory ? parseBytes(options.memory) : undefined;
      const config = await loadConfig(file);
      const plan = await planFinetune(config, options.tokens);
      tell(formatPlan(plan, config.finetune, memory));
    });
}

interface AssembleOptions {
  llama: string;
  blip2: string;
  vision?: string;
  projection: string;
  output: string;
  dtype: keyof typeof dtypes;
}
