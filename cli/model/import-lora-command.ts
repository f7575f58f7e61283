/** `dataengine model import-lora`: a LoRA checkpoint of the reference system as a PEFT adapter. */
import { type Command, InvalidArgumentError } from 'commander';
import { pythonOfSetup } from '../../src/core/setup-file.ts';
import { tell } from '../say.ts';

/** `--lora-scale` of the reference's own merge: `lora_alpha: 16` over `lora_r: 8`. */
const REFERENCE_SCALE = 2;

/** Adds `dataengine model import-lora`. */
export function addImportLoraCommand(model: Command): void {
  model
    .command('import-lora')
    .description('make a PEFT adapter of a LoRA checkpoint of the reference system')
    .requiredOption('--ckpt <file>', 'the checkpoint, such as checkpoint_9.pth')
    .requiredOption('--output <directory>', 'the adapter directory to write')
    .option('--scale <number>', 'lora_alpha / lora_r of its training', positive, REFERENCE_SCALE)
    .addHelpText(
      'after',
      '\nExample:\n  dataengine model import-lora --ckpt checkpoint_9.pth --output adapters/7b-qma\n\n' +
        '`dataengine merge --base … --adapter … --output …` merges it.',
    )
    .action(async (options: { ckpt: string; output: string; scale: number }) => {
      const { fillFolder } = await import('../../src/core/files.ts');
      const { importLora } = await import('../../src/model/families/minigpt4/lora-checkpoint.ts');
      const { modules, rank, alpha } = await fillFolder(options.output, (output) =>
        importLora({ checkpoint: options.ckpt, output, scale: options.scale }, () => pythonOfSetup('python')),
      );
      tell(`${options.output}: ${modules} layers, rank ${rank}, alpha ${alpha}`);
    });
}

function positive(text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new InvalidArgumentError('Give a number above 0.');
  return value;
}
