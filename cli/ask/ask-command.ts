/** `dataengine ask`: a question to a model, or several, in a terminal or through a pipe. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { exifModes } from '../../src/core/images/image-kind.ts';
import { integer, share, wrongOption } from '../options.ts';
import type { AskOptions } from './answerers.ts';

/** Adds `dataengine ask`. */
export function addAskCommand(program: Command, signal: AbortSignal): void {
  program
    .command('ask')
    .argument('<model>', 'model directory, or a run such as runs/demo: the merged model of its last good round')
    .argument('<image>', 'the image that is asked about; - for none')
    .argument('[question]', 'without one, questions are read from standard input, each line a turn of one conversation')
    .description('ask a model about an image, and print its answer as it is written')
    .option('--image <file>', 'a further image of the question, behind the first one; may be repeated', another, [])
    .option('--adapter <folder>', 'PEFT adapter over the model, unmerged')
    .option('--compare <model>', "a second model or adapter, whose answer is put beside the first one's")
    .option('--round <number>', 'of a run, instead of its last good round', integer(0))
    .addOption(
      new Option('--engine <name>', 'what computes (default: tensorflow for built-in families, else torch)').choices([
        'tensorflow',
        'torch',
      ]),
    )
    .addOption(new Option('--exif <mode>', 'how the image is opened (default: apply, upright)').choices(exifModes))
    .option('--system <text>', 'system prompt')
    .option('--max-tokens <number>', 'the longest answer', integer(1), 256)
    .option('--temperature <number>', '0 is greedy, 1 keeps the probabilities of the model', temperature, 0)
    .option('--top-p <number>', 'draw from the likeliest tokens that together have this probability', share, 1)
    .option('--seed <number>', 'of the random draws', integer(0), 42)
    .option('--stop <text>', "a text that ends the answer, besides the model's own end; may be repeated", another, [])
    .addHelpText(
      'after',
      '\nExamples:\n  dataengine ask runs/demo photo.jpg "How many cups are on the table?"\n' +
        '  dataengine ask data/stage1 photo.jpg "What is this?" --compare runs/demo\n' +
        '  dataengine ask data/stage1 before.jpg "What has changed?" --image after.jpg\n' +
        '  dataengine ask data/stage1 photo.jpg --adapter runs/demo/round-0/finetune',
    )
    .action(
      async (model: string, image: string, question: string | undefined, options: AskOptions & { image: string[] }) => {
        const { openAnswerers } = await import('./answerers.ts');
        const { askOnce, converse, readImage } = await import('./conversation.ts');
        if (question?.trim() === '')
          throw wrongOption('[question]', 'is empty', 'Write one, or leave it out to type several');
        const files = [...(image === '-' ? [] : [image]), ...options.image];
        const shown = await Promise.all(files.map(readImage));
        const answerers = await openAnswerers(model, options, signal);
        try {
          if (question === undefined) await converse(answerers, shown, signal);
          else await askOnce(answerers, shown, question, signal);
        } finally {
          await answerers.close();
        }
      },
    );
}

/** For commander, which would take all words up to the next option for values of one: the question, too. */
function another(value: string, others: readonly string[]): string[] {
  return [...others, value];
}

function temperature(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 100))
    throw new InvalidArgumentError('Give a number from 0 to 100.');
  return value;
}
