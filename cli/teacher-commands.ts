/**
 * What the teacher will cost, has cost, and may cost.
 */
import { type Command, InvalidArgumentError } from 'commander';
import type { Config } from '../src/config/schema.ts';
import type { OtherRequests } from '../src/round/estimate-requests.ts';
import type { RoundEstimate } from '../src/round/generate/generate.ts';
import { addConfigOptions, type ConfigOptions, integer, loadNamedConfig } from './options.ts';
import { tell } from './say.ts';
import { update, withClient } from './temporal-client.ts';

/** Adds `dataengine estimate`, `top-up` and `finish-early`. */
export function addTeacherCommands(program: Command, signal: AbortSignal): void {
  addConfigOptions(
    program.command('estimate').description("what a round's requests to the teacher will take and cost; sends none"),
  )
    .option('--round <number>', 'round', integer(0), 1)
    .addHelpText('after', '\nExample:\n  dataengine estimate --config configs/minigpt4-7b.yaml --round 1')
    .action((options: ConfigOptions & { round: number }) => printEstimate(options, signal));
  program
    .command('top-up')
    .description("add to a run's budget, in the currency of the prices; the generation that waits for it continues")
    .argument('<workflow-id>', 'of the generation, the verification or the judging')
    .argument('<amount>', 'in the currency of the prices', amountOfMoney)
    .addHelpText('after', '\nExample:\n  dataengine top-up tuesday/round-1/generation 25')
    .action(async (workflowId: string, amount: number) => {
      const limit = await withClient((client) => update<number>(client, workflowId, 'topUp', { amount }));
      tell(`The budget is now ${limit}`);
    });
  program
    .command('finish-early <workflow-id>')
    .description('send the teacher no more requests in this round, and continue with the answers so far')
    .addHelpText('after', '\nExample:\n  dataengine finish-early tuesday/round-1/generation')
    .action(async (workflowId: string) => {
      await withClient((client) => update<void>(client, workflowId, 'finishEarly'));
      tell(`${workflowId}: no further requests; the round continues with the answers so far`);
    });
}

function amountOfMoney(text: string): number {
  const amount = Number(text);
  if (!(amount > 0)) throw new InvalidArgumentError('Give an amount greater than 0.');
  return amount;
}

async function printEstimate(options: ConfigOptions & { round: number }, signal: AbortSignal): Promise<void> {
  const { config, runName } = await loadNamedConfig(options.config, options);
  const { withNewRun } = await import('../src/round/open-run.ts');
  const { extensions } = await import('../workers/extensions.ts');
  const { estimateRound } = await import('../src/round/generate/generate.ts');
  const { estimateOtherRequests } = await import('../src/round/estimate-requests.ts');
  const { round } = options;
  const work = { signal, onProgress: () => undefined, extensions };
  const [estimate, others] = await withNewRun(config, runName, work, async (open) => {
    const context = { ...work, ...open, round };
    // Round 0 asks for no samples.
    return [round === 0 ? undefined : await estimateRound(context), await estimateOtherRequests(context)] as const;
  });
  const { findTeacher } = await import('../src/teacher/providers/index.ts');
  const { provider } = findTeacher(config.teacher, extensions.teacherProviders);
  const isFree = !provider.isPaid;
  const name = provider.author ?? config.teacher.model;
  const currency = estimate?.currency ?? (isFree ? undefined : await currencyOf(config.teacher));
  const lines = [
    ...(estimate === undefined ? [] : describeSamples(config, round, estimate, { isFree, name })),
    ...others.map((other) => describeOther(round, other, currency)),
    ...(estimate === undefined && others.length === 0 ? [`round ${round}: no requests to ${name}`] : []),
  ];
  tell(lines.join('\n'));
}

async function currencyOf({ prices, model }: Config['teacher']): Promise<string | undefined> {
  const { readPrice } = await import('../src/teacher/prices.ts');
  return (await readPrice(prices, model, 'online'))?.currency;
}

function describeSamples(
  { teacher }: Config,
  round: number,
  estimate: RoundEstimate,
  { isFree, name }: { isFree: boolean; name: string },
): string[] {
  const { requests, promptTokens, completionTokens, cost, maximumCost, seconds, currency, spent, toppedUp } = estimate;
  const money = (amount: number) => `${amount.toFixed(2)} ${currency}`;
  return [
    `round ${round}: ${requests} requests to ${name} (${teacher.mode})`,
    `  prompt tokens:  ${promptTokens}`,
    `  answer tokens:  ${completionTokens}`,
    currency === undefined
      ? `  cost:           ${isFree ? 'none: this teacher is free' : `unknown: ${teacher.prices} has no price for ${teacher.model}`}`
      : `  cost:           ${money(cost)}, ${money(maximumCost)} at most; spent so far ${money(spent)}`,
    ...(seconds > 0 ? [`  time:           at least ${(seconds / 60).toFixed(1)} minutes, by the limits`] : []),
    ...(typeof teacher.budget?.limit === 'number'
      ? [`  budget:         ${describeBudget(teacher.budget.limit, toppedUp)} ${currency}`]
      : []),
  ];
}

function describeOther(round: number, other: OtherRequests, currency: string | undefined): string {
  const { kind, requests, promptTokens, completionTokens, cost, maximumCost } = other;
  const price =
    currency === undefined ? '' : `, ${cost.toFixed(2)} ${currency}, ${maximumCost.toFixed(2)} ${currency} at most`;
  return `round ${round}, ${kind}: ${requests} requests, ${promptTokens} prompt tokens, ${completionTokens} answer tokens${price}`;
}

function describeBudget(limit: number, toppedUp: number): string {
  return toppedUp === 0 ? String(limit) : `${limit + toppedUp} (${limit} of the config, ${toppedUp} topped up)`;
}
