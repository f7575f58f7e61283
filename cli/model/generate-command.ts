import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ExifMode, exifModes } from '../../src/core/images/image-kind.ts';
import { printable } from '../../src/core/printable.ts';
import type { Strategy } from '../../src/model/decoding/settings.ts';
import { integer } from '../options.ts';

interface GenerateOptions {
  model: string;
  image?: string;
  exif?: ExifMode;
  prompt: string;
  raw: boolean;
  maximumTokens: number;
  beams: number;
  lengthPenalty: number;
  temperature: number;
  topP: number;
  seed: number;
  stop?: string[];
}

/** Adds `dataengine model generate`. */
export function addGenerateCommand(model: Command, signal: AbortSignal): void {
  model
    .command('generate')
    .description('ask a model a question about an image, and print its answer')
    .requiredOption('--model <directory>', 'model directory, such as runs/my-run/round-2/merged')
    .requiredOption('--prompt <text>', 'the question; for a LLaMA without vision, the text to continue')
    .option('--image <file>', 'the image that the question is about')
    .addOption(new Option('--exif <mode>', 'how the image is opened (default: apply, upright)').choices(exifModes))
    .option('--raw', 'use the prompt as it is, without the prompt form of the model around it', false)
    .option('--maximum-tokens <number>', 'the longest answer', integer(1), 128)
    .option('--beams <number>', '1 is greedy, more is beam search', integer(1), 1)
    .option('--length-penalty <number>', 'of beam search: above 0 favors length', number(), 1)
    .addOption(
      new Option('--temperature <number>', 'sample tokens: 1 keeps the probabilities of the model, 0 is greedy')
        .argParser(number(0))
        .conflicts('beams')
        .default(0),
    )
    .option(
      '--top-p <number>',
      'sample from the most likely tokens that together have this probability',
      number(0, 1),
      0.9,
    )
    .option('--seed <number>', 'of the random draws', integer(0), 42)
    .option('--stop <text...>', "texts that end the answer (default: the model's end mark)")
    .addHelpText(
      'after',
      '\nExample:\n  dataengine model generate --model data/stage1 --image photo.jpg --prompt "Describe this image."',
    )
    .action(async (options: GenerateOptions) => {
      const { generateTexts } = await import('../../src/trainer/jobs/generate-text.ts');
      const { model, prompt, image, raw: isRaw, maximumTokens: maximumNewTokens, stop: stopStrings } = options;
      const [answer] = await generateTexts(
        model,
        [{ id: 'prompt', prompt, isRaw, image }],
        { strategy: strategyOf(options), maximumNewTokens, stopStrings },
        { exif: options.exif, signal },
      );
      process.stdout.write(`${printable(answer?.text.trim() ?? '')}\n`);
    });
}

function strategyOf({ beams, lengthPenalty, temperature, topP, seed }: GenerateOptions): Strategy {
  if (temperature > 0) return { kind: 'sample', temperature, topP, seed };
  return beams > 1 ? { kind: 'beam', beams, lengthPenalty, earlyStopping: false } : { kind: 'greedy' };
}

function number(minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= minimum && value <= maximum)) {
      throw new InvalidArgumentError(`Give a number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}
