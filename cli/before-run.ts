/** What a command does before work starts: what can be checked here, and the price, which a person agrees to. */
import type { Config } from '../src/config/schema.ts';
import { fileExists } from '../src/core/files.ts';
import { InputError } from '../src/core/input-error.ts';
import type { RunDirectory } from '../src/core/run-directory.ts';
import type { ExpectedCost } from '../src/round/step-context.ts';
import { Interrupted } from './failures.ts';
import { missingOption } from './options.ts';
import { say } from './say.ts';

/** What the user has said about the price. */
export interface PriceOptions {
  /** `--yes` */
  yes?: boolean;
}

/**
 * Checks what can be known on this machine, and says what can't.
 *
 * @param given.local whether this machine does the work: then all of it is known here
 * @throws InputError naming all that is wrong
 */
export async function checkBeforeRun(
  config: Config,
  given: { run: RunDirectory; local: boolean; signal: AbortSignal },
): Promise<void> {
  const { preflight, everyPlace } = await import('../src/round/preflight/preflight.ts');
  const { refuseProblems } = await import('../src/round/data-problem.ts');
  const { requireBudget } = await import('../src/round/paid-teacher.ts');
  const { extensions } = await import('../workers/extensions.ts');
  const { run, local, signal } = given;
  // On a machine that only starts runs there are no files of them.
  const hasFiles = (await fileExists(config.data.root)) && (await fileExists(config.model.path));
  const places = local ? everyPlace : hasFiles ? (['config', 'files'] as const) : (['config'] as const);
  const context = { config, run, signal, extensions };
  const { problems, notes, unchecked } = await preflight(context, { places });
  refuseProblems(problems, config.data.root);
  await requireBudget(context);
  for (const note of notes) say(note);
  if (unchecked.length > 0) say(`Checked by the run's first step, not here: ${unchecked.join('; ')}.`);
}

/** Shows what a run will cost, and asks whether it may. @throws InputError, Interrupted */
export async function agreeToRun(
  config: Config,
  given: { run: RunDirectory; signal: AbortSignal },
  options: PriceOptions,
): Promise<void> {
  const { estimateRun } = await import('../src/round/paid-teacher.ts');
  const { teacherPrice } = await import('../src/round/teacher-price.ts');
  const { extensions } = await import('../workers/extensions.ts');
  if ((await teacherPrice({ config, extensions })) === undefined) return;
  const price = await estimateRun({ config, extensions }, await otherRequests(config, given));
  if (price === undefined) return;
  const { limit, ...expected } = price;
  const budget = limit === undefined ? 'no budget' : `the budget ends it at ${limit}`;
  await agree(
    `${config.teacher.model}: ${describeCost(expected)} in ${config.rounds} ${config.rounds === 1 ? 'round' : 'rounds'}; ${budget}`,
    options,
  );
}

/** The requests of a run for other things than samples; none where its questions are not on this machine. */
async function otherRequests(config: Config, given: { run: RunDirectory; signal: AbortSignal }) {
  const { estimateOtherRequests } = await import('../src/round/estimate-requests.ts');
  const { extensions } = await import('../workers/extensions.ts');
  const context = { config, extensions, ...given, round: 0, onProgress: () => undefined };
  const found = await estimateOtherRequests(context).catch((error: unknown) => {
    if (error instanceof InputError) return [];
    throw error;
  });
  // Each round's answers are judged.
  const times = (kind: string) => (kind === 'judging' ? config.rounds + 1 : 1);
  return found.flatMap((one) => Array.from({ length: times(one.kind) }, () => one));
}

/** Shows what an iteration of Interactive Prompt Optimization will cost, and asks whether it may. @throws InputError, Interrupted */
export async function agreeToPrompt(config: Config, samples: number | undefined, options: PriceOptions): Promise<void> {
  const { estimatePrompt, requireBudget } = await import('../src/round/paid-teacher.ts');
  const { extensions } = await import('../workers/extensions.ts');
  await requireBudget({ config, extensions }, { always: true });
  const price = await estimatePrompt({ config, extensions }, samples);
  if (price !== undefined)
    await agree(`${config.teacher.model}: ${describeCost(price)} for each version of the prompt`, options);
}

/**
 * For steps by hand: shows each price, and asks once a command.
 *
 * @param clear removes what is drawn on the terminal
 */
export function confirmation(
  config: Config,
  options: PriceOptions,
  clear: () => void = () => undefined,
): (expected: ExpectedCost) => Promise<void> {
  let agreed: Promise<void> | undefined;
  return async (expected) => {
    const price = `${config.teacher.model}: ${describeCost(expected)}`;
    clear();
    if (agreed === undefined) agreed = agree(price, options);
    else await agreed.then(() => say(price));
    return agreed;
  };
}

function describeCost({ requests, cost }: ExpectedCost): string {
  if (cost === undefined) return `${requests} requests, at a price that teacher.prices does not list`;
  const { likely, most, currency } = cost;
  return `${requests} ${requests === 1 ? 'request' : 'requests'}, about ${likely.toFixed(2)} ${currency}, ${most.toFixed(2)} at most`;
}

async function agree(price: string, { yes = false }: PriceOptions): Promise<void> {
  say(price);
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw missingOption('--yes', 'to agree to the price above');
  const { askWhether } = await import('./terminal-dialog.ts');
  const refused = 'Nothing was asked.';
  if (!(await askWhether('Pay it? [y/N] ', process.stderr, refused))) throw new Interrupted(refused);
}
