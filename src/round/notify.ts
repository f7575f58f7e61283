import { requireWebhookAccess } from '../core/access.ts';
import { InputError } from '../core/input-error.ts';
import { printable } from '../core/printable.ts';
import { keepSecret } from '../core/without-secrets.ts';
import type { StepContext } from './step-context.ts';

const timeoutMilliseconds = 20_000;
/** A receiver may ask for any time; what is said later is of no use. */
const longestWaitSeconds = 300;
/** Slack cuts longer texts. */
const maximumCharacters = 3000;

/** The receiver did not accept a notification. The message does not contain its address. */
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
 * Posts `{"text": …}` to the config's webhook, as the incoming webhooks of Slack, Mattermost and Discord (with `/slack`)
 * expect.
 *
 * @throws InputError when the environment variable is not set or is no web address
 * @throws NotificationError, retryable when the receiver can't be reached, is busy or fails
 */
export async function notify(
  { config, signal, access }: Pick<StepContext, 'config' | 'signal' | 'access'>,
  { text }: { text: string },
): Promise<void> {
  const { webhookVariable } = config.notify;
  if (webhookVariable === undefined) return;
  requireWebhookAccess(access, webhookVariable);
  const address = webhookAddress(webhookVariable);
  const response = await fetch(address, {
    method: 'POST',
    // The text is for this address alone.
    redirect: 'manual',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: escapeMarks(text.slice(0, maximumCharacters)) }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMilliseconds)]),
  }).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new NotificationError(`The webhook of ${webhookVariable} can't be reached (${codeOf(cause)})`, true);
  });
  await response.body?.cancel();
  if (response.ok) return;
  const { status, headers } = response;
  const retryable = status === 408 || status === 429 || status >= 500;
  const retryAfter = Number(headers.get('retry-after') || Number.NaN);
  throw new NotificationError(
    `The webhook of ${webhookVariable} answered ${status}${retryable ? '' : '. Check the address'}`,
    retryable,
    retryAfter >= 0 ? Math.min(longestWaitSeconds, retryAfter) : undefined,
  );
}

/** A text that mentions nobody and holds no link: what it is made of comes from runs, errors and people. */
function escapeMarks(text: string): string {
  return printable(text)
    .replace(/[&<>]/g, (mark) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[mark] ?? mark)
    .replace(/@(?=\w)/g, '@\u200b')
    .replaceAll('](', '] (');
}

function webhookAddress(variable: string): URL {
  const address = process.env[variable];
  if (address === undefined || !URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new InputError({
      file: 'environment',
      field: variable,
      problem: address === undefined ? 'is not set on this worker' : 'is no web address',
      remedy: 'Set it to the address of the webhook, or remove notify.webhookVariable from the config',
    });
  }
  keepSecret(variable, address);
  return new URL(address);
}

function codeOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'string' ? cause.code : 'connection failed';
}
