/**
 * What work may touch. A worker's work is held to the worker's settings; work that a person typed in a terminal has none,
 * and trusts the config that was named there.
 */
import { stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { InputError } from './input-error.ts';
import { followLinks, isBelow } from './inside.ts';
import { isHost } from './secret-hosts.ts';
import { type WorkerSettings, workerSettingsVariable } from './worker-settings.ts';

/** Settings of the worker, or undefined for work that a person typed. */
export type Access = WorkerSettings | undefined;

/** The folder that paths in the config of a run in a store start in: the worker's first one with configs. */
export function configRoot(access: Access): string {
  return access?.configs[0] ?? resolve('configs');
}

const listIt = (key: keyof WorkerSettings) =>
  `List it under ${key} in the settings of the worker (${workerSettingsVariable}), if this worker may use it`;

/**
 * Checks the config that a workflow's input names. Nothing of its content is quoted.
 *
 * @throws InputError unless it is a regular file of at most `limits.configBytes` in one of the worker's folders
 */
export async function requireConfigAccess(access: Access, file: string): Promise<void> {
  if (access === undefined) return;
  await requireBelow(access, 'configs', file, {
    problem: 'the config is in none of the folders of this worker',
    remedy: `${listIt('configs')}; or run it on this machine alone, without a worker: \`dataengine run --local --config ${file}\``,
  });
  await requireSmallFile(access, file);
}

/**
 * Checks a path in the config of a run, whoever wrote it.
 *
 * @param key of the worker's settings: those of `configs` are files
 * @param field of the config
 * @throws InputError unless it is in one of those folders, and a file of `configs` a regular one of at most
 *   `limits.configBytes`
 */
export async function requirePathAccess(
  access: WorkerSettings,
  key: 'configs' | 'data' | 'models' | 'runs',
  { path, field }: { path: string; field: string },
): Promise<void> {
  await requireBelow(access, key, path, { problem: 'is in none of the folders of this worker', field });
  if (key === 'configs') await requireSmallFile(access, path);
}

async function requireSmallFile(access: WorkerSettings, file: string): Promise<void> {
  const info = await stat(file).catch(() => undefined);
  // What is missing is reported by its reader.
  if (info === undefined || info.isDirectory()) return;
  if (!info.isFile()) throw new InputError({ file, problem: 'is not a regular file', remedy: 'Name a text file' });
  const { configBytes } = access.limits;
  if (info.size > configBytes) {
    throw new InputError({
      file,
      problem: `has ${info.size} bytes, and a config may have ${configBytes}`,
      remedy: 'Name a smaller file, or set limits.configBytes in the settings of the worker',
    });
  }
}

/** @throws InputError unless a data root that a workflow's input names is in one of the worker's folders */
export async function requireDataAccess(access: Access, folder: string | undefined): Promise<void> {
  if (access === undefined || folder === undefined) return;
  await requireBelow(access, 'data', folder, { problem: 'the data root is in none of the folders of this worker' });
}

/** @throws InputError unless the folder of a run, or of runs, is in one of the worker's folders */
export async function requireRunsAccess(access: Access, folder: string): Promise<void> {
  if (access === undefined) return;
  await requireBelow(access, 'runs', folder, { problem: 'runs of this worker are in none of its folders' });
}

/** @throws InputError unless the store, or the run in a store, is one of the worker's */
export function requireStoreAccess(access: Access, uri: string): void {
  if (access === undefined) return;
  const isOf = (store: string) => `${uri.replace(/\/+$/, '')}/`.startsWith(`${store.replace(/\/+$/, '')}/`);
  // A bucket has no folders: `..` would be part of a key, but must not look like one either.
  if (!/(^|\/)\.{1,2}(\/|$)/.test(uri) && access.stores.some(isOf)) return;
  throw new InputError({ file: uri, field: 'store', problem: 'is no store of this worker', remedy: listIt('stores') });
}

/** @throws InputError unless the variable may hold the address of a webhook */
export function requireWebhookAccess(access: Access, variable: string): void {
  if (access === undefined || access.webhooks.includes(variable)) return;
  throw new InputError({
    file: 'config',
    field: 'notify.webhookVariable',
    problem: `${variable} is no webhook of this worker`,
    remedy: listIt('webhooks'),
  });
}

/**
 * Whether a secret may go to a server. One on this machine that is not listed is asked without a key.
 *
 * @throws InputError when the secret is not bound to the host of the address
 */
export function mayReceiveSecret(access: Access, secret: Secret, address: string, field = 'teacher.baseUrl'): boolean {
  if (access === undefined || isSecretBound(access, secret, address)) return true;
  const url = new URL(address);
  if (secret.file === undefined && isOnThisMachine(url)) return false;
  throw new InputError({
    file: 'config',
    field,
    problem: `this worker may not send ${secret.file ?? secret.variable} to ${url.host}`,
    remedy: listIt('secrets'),
  });
}

/** A secret as a config or a command names it: a variable, or a file in place of it. */
interface Secret {
  variable: string;
  file?: string | undefined;
}

/** Whether the settings bind a secret to the host of an address. */
export function isSecretBound(access: WorkerSettings, { variable, file }: Secret, address: string): boolean {
  const bound = access.secrets.filter((one) =>
    file === undefined ? one.variable === variable : one.file === resolve(file),
  );
  return reaches(bound, new URL(address));
}

/**
 * Checks where prompts and images go.
 *
 * @throws InputError unless the server is on this machine or one that a secret of the worker is bound to
 */
export function requireTeacherAccess(
  access: Access,
  address: string,
  place = { file: 'config', field: 'teacher.baseUrl' },
  what = 'prompts',
): void {
  if (access === undefined) return;
  const url = new URL(address);
  if (isOnThisMachine(url) || reaches(access.secrets, url)) return;
  throw new InputError({
    ...place,
    problem: `this worker may not send ${what} to ${url.host}`,
    remedy: listIt('secrets'),
  });
}

/** Whether an address of the URL's host reaches this machine only. */
export function isOnThisMachine({ hostname }: Pick<URL, 'hostname'>): boolean {
  return isLoopback(hostname.replace(/^\[|\]$/g, ''));
}

/** Whether only this machine reaches a host: a name or an address, an IPv6 one without brackets. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Whether one of the secrets may go to the URL's host. */
function reaches(secrets: WorkerSettings['secrets'], url: URL): boolean {
  return secrets.some(({ hosts }) => hosts.some((host) => isHost(url, host)));
}

async function requireBelow(
  access: WorkerSettings,
  key: 'configs' | 'data' | 'models' | 'runs',
  path: string,
  { problem, field, remedy = listIt(key) }: { problem: string; field?: string; remedy?: string },
): Promise<void> {
  const allowed = await Promise.all(access[key].map(followLinks));
  const real = await followLinks(resolve(path)).catch((error: unknown) => {
    // Elsewhere not even what is a file, and what may be read, is said.
    if (isBelow(resolve(path), [...access[key], ...allowed])) throw error;
    return undefined;
  });
  if (real !== undefined && isBelow(real, allowed)) return;
  throw new InputError({ file: path, field, problem, remedy });
}
