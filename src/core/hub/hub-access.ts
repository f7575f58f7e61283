/** Where the Hugging Face Hub is, with which token, and what requests to it may do. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../input-error.ts';
import { readTextFile } from '../read-json.ts';
import { isHost } from '../secret-hosts.ts';
import type { WorkerSettings } from '../worker-settings.ts';

/** The environment variable with the token; the Hub's own programs read it, too. */
export const hubTokenVariable = 'HF_TOKEN';
const usualEndpoint = 'https://huggingface.co';
const usualHosts = ['huggingface.co'];
const LONGEST_TOKEN_FILE = 4096;
/** Of an answer of the API, such as a list of files. */
const LONGEST_ANSWER = 64 * 1024 * 1024;
const MOST_REDIRECTS = 5;

type Environment = Readonly<Record<string, string | undefined>>;

/** A Hub, and how it is asked. */
export interface HubAccess {
  /** Without a slash at the end. */
  endpoint: string;
  token: string | undefined;
  /** As `fetch`, and refuses what the promises about secrets forbid. */
  fetch: typeof fetch;
}

/**
 * The Hub that HF_ENDPOINT names, else huggingface.co. The token is that of HF_TOKEN or of the file in which the Hub's own
 * programs keep it (HF_TOKEN_PATH, HF_HOME); no option and no config gives one.
 *
 * @throws InputError for an address that is none, a token that is none, and a host that the token may not be sent to
 */
export async function hubAccess(
  settings: Pick<WorkerSettings, 'secrets'>,
  environment: Environment = process.env,
): Promise<HubAccess> {
  const endpoint = endpointOf(environment);
  const url = new URL(endpoint);
  const token = await tokenOf(environment);
  const bound = settings.secrets.filter(({ variable }) => variable === hubTokenVariable).flatMap(({ hosts }) => hosts);
  if (token !== undefined && ![...usualHosts, ...bound].some((host) => isHost(url, host))) {
    throw new InputError({
      file: 'HF_ENDPOINT',
      problem: `${hubTokenVariable} may not be sent to ${url.host}`,
      remedy:
        'List the host for it under secrets in the settings of the worker (DATAENGINE_WORKER_SETTINGS), or ask without a token',
    });
  }
  return { endpoint, token, fetch: guardedFetch(url) };
}

function endpointOf({ HF_ENDPOINT: given }: Environment): string {
  const endpoint = (given || usualEndpoint).replace(/\/+$/, '');
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isPlain = url !== undefined && url.username === '' && url.password === '' && url.search === '';
  if (isPlain && (url.protocol === 'https:' || url.protocol === 'http:')) return endpoint;
  throw new InputError({
    file: 'HF_ENDPOINT',
    problem: 'is not the address of a Hub',
    remedy: `Write one such as ${usualEndpoint}, without a password`,
  });
}

async function tokenOf(environment: Environment): Promise<string | undefined> {
  const given = environment[hubTokenVariable];
  if (given) return requireToken(given.trim(), hubTokenVariable);
  const { HF_TOKEN_PATH, HF_HOME, XDG_CACHE_HOME } = environment;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(environment.HOME || homedir(), '.cache'), 'huggingface');
  const file = HF_TOKEN_PATH || join(home, 'token');
  const text = await readTextFile(file, LONGEST_TOKEN_FILE).catch((error: unknown) => {
    if (error instanceof InputError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return '';
    throw error;
  });
  return text.trim() === '' ? undefined : requireToken(text.trim(), file);
}

function requireToken(token: string, place: string): string {
  if (/^hf_[A-Za-z0-9_-]{1,200}$/.test(token)) return token;
  throw new InputError({ file: place, problem: 'is no token of the Hub: they start with hf_', remedy: 'Correct it' });
}

/**
 * The token goes to the Hub's own origin alone, redirects elsewhere are followed without it, and never from https to http.
 * Answers of the API have at most 64 MiB.
 */
function guardedFetch(hub: URL): typeof fetch {
  return async (input, init) => {
    const { method = 'GET', ...options } = init ?? {};
    let url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(options.headers);
    if (headers.has('authorization') && url.origin !== hub.origin) throw notTheHub(url, hub);
    for (let redirects = 0; ; redirects += 1) {
      if (url.protocol !== 'https:' && url.protocol !== hub.protocol) throw notTheHub(url, hub);
      const response = await fetch(url, { ...options, method, headers, redirect: 'manual' });
      const location = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
      if (location === null) return isOfApi(url) ? withLimit(response) : response;
      await response.body?.cancel();
      url = new URL(location, url);
      if (redirects === MOST_REDIRECTS || (method !== 'GET' && method !== 'HEAD')) throw notTheHub(url, hub);
      if (url.origin !== hub.origin) headers.delete('authorization');
    }
  };
}

function notTheHub(url: URL, hub: URL): InputError {
  return new InputError({
    file: hub.origin,
    problem: `leads a request to ${url.origin}, where it may not go`,
    remedy: 'Check the address of the Hub (HF_ENDPOINT)',
  });
}

/** Other answers are contents of files, which are read as streams. */
function isOfApi({ pathname }: URL): boolean {
  return /\/api\/|\/info\/lfs\/objects\/batch$/.test(pathname);
}

async function withLimit(response: Response): Promise<Response> {
  if (response.body === null) return response;
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length > LONGEST_ANSWER) throw new Error(`an answer of the Hub is longer than ${LONGEST_ANSWER} bytes`);
    pieces.push(piece);
  }
  const { status, statusText, headers } = response;
  return new Response(Buffer.concat(pieces), { status, statusText, headers: new Headers(headers) });
}
