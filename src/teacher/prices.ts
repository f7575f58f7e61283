import { z } from 'zod';
import { describeFirstIssue, InputError } from '../core/input-error.ts';
import { readPlainYaml } from '../core/plain-yaml.ts';

const price = z.number().nonnegative();
const pricesSchema = z.strictObject({
  currency: z.string().min(1),
  models: z.record(
    z.string(),
    z.strictObject({ input: price, output: price, batchInput: price.optional(), batchOutput: price.optional() }),
  ),
});

/** What the tokens of one model cost. */
export interface TokenPrice {
  currency: string;
  /** Of one token. */
  input: number;
  output: number;
}

/** How many tokens were used. */
export interface TokenSum {
  promptTokens: number;
  completionTokens: number;
}

/**
 * Looks up a model's price in a file of prices per million tokens. A dated model such as `gpt-4-0613` has the price of
 * the longest name in the file that it starts with.
 *
 * @returns undefined when the file does not have the model
 * @throws InputError when the file is not a file of prices
 */
export async function readPrice(
  file: string,
  model: string,
  mode: 'online' | 'batch',
): Promise<TokenPrice | undefined> {
  const result = pricesSchema.safeParse((await readPlainYaml(file)).value);
  if (!result.success)
    throw new InputError({ file, ...describeFirstIssue(result.error), remedy: 'Correct this value' });
  const { currency, models } = result.data;
  const [name] = Object.keys(models)
    .filter((known) => model === known || model.startsWith(`${known}-`))
    .sort((left, right) => right.length - left.length);
  const found = name === undefined ? undefined : models[name];
  if (!found) return undefined;
  const million = 1e6;
  const { input, output, batchInput = input / 2, batchOutput = output / 2 } = found;
  return mode === 'batch'
    ? { currency, input: batchInput / million, output: batchOutput / million }
    : { currency, input: input / million, output: output / million };
}

/** What tokens cost; 0 without a price. */
export function costOf(price: TokenPrice | undefined, { promptTokens, completionTokens }: TokenSum): number {
  return price === undefined ? 0 : promptTokens * price.input + completionTokens * price.output;
}
