import { InputError } from '../core/input-error.ts';
import type { StepContext } from './step-context.ts';

const TIMEOUT_MILLISECONDS = 20_000;
/** Slack cuts longer texts. */
const MAXIMUM_CHARACTERS = 3000;

/** The receiver of a notice did not take it. The message holds nothing of the address. */
export class NotificationError extends Error {
  override readonly name = 'NotificationError';

  constructor(
    message: string,
    readonly retryable: boolean,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

/**
 * Posts `{"text": …}` to the config's webhook: what Slack's, Mattermost's and Discord's (with `/slack`) incoming webhooks
 * take.
 *
 * @throws InputError when the environment variable is not set or holds no web address
 * @throws NotificationError, retryable when the receiver can't be reached, is busy or has trouble of its own
 */
export async function notify(
  { config, signal }: Pick<StepContext, 'config' | 'signal'>,
  { text }: { text: string },
): Promise<void> {
  const { webhookVariable } = config.notify;
  if (webhookVariable === undefined) return;
  const address = webhookAddress(webhookVariable);
  const response = await fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: text.slice(0, MAXIMUM_CHARACTERS) }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MILLISECONDS)]),
  }).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new NotificationError(`The webhook of ${webhookVariable} can't be reached (${codeOf(cause)})`, true);
  });
  await response.body?.cancel();
  if (response.ok) return;
  const { status, headers } = response;
  const retryable = status === 408 || status === 429 || status >= 500;
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  throw new NotificationError(
    `The webhook of ${webhookVariable} answered ${status}${retryable ? '' : '. Check the address'}`,
    retryable,
    Number.isFinite(retryAfter) ? retryAfter : undefined,
  );
}

function webhookAddress(variable: string): URL {
  const address = process.env[variable];
  if (address === undefined || !URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new InputError({
      file: 'environment',
      field: variable,
      problem: address === undefined ? 'is not set on this worker' : 'is no web address',
      remedy: 'Set it to the address of the webhook, or take notify.webhookVariable out of the config',
    });
  }
  return new URL(address);
}

function codeOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'string' ? cause.code : 'connection failed';
}
