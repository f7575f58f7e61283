import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { InputError } from '../input-error.ts';

/** Where objects are kept: a bucket, and what all their keys start with. */
export interface StoreUri {
  bucket: string;
  /** Without slashes at its ends; may be empty. */
  prefix: string;
}

// Amazon's rules for buckets, which other servers share.
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** The address of a store as a config or a worker's settings give it. */
export const storeUri = z
  .string()
  .regex(/^s3:\/\/[^/\s]+(\/[^\s]*)?$/, { error: 'write s3://bucket or s3://bucket/prefix', abort: true })
  .superRefine((uri, context) => {
    const message = storeProblem(uri);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

/** Why a text is no address of a store. */
function storeProblem(uri: string): string | undefined {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(uri) ?? [];
  if (bucket === undefined || bucket === '') return 'write s3://bucket or s3://bucket/prefix';
  if (!bucketName.test(bucket)) {
    return `${JSON.stringify(bucket)} is no bucket: its name has 3 to 63 small letters, digits, dots and hyphens`;
  }
  if (/[?#\s\\]/.test(prefix)) return 'a prefix has no spaces, and none of the characters ? # \\';
  const folders = prefix.replace(/\/+$/, '').split('/');
  if (prefix !== '' && folders.some((one) => one === '' || one === '.' || one === '..')) {
    return 'a prefix is a plain path: without ., .. and empty folders';
  }
  return undefined;
}

/** Whether a reference is to an object store; otherwise it is to this machine's disk: a path, or `file:///…`. */
export function isRemote(reference: string): boolean {
  return reference.startsWith('s3://');
}

/** @throws InputError unless it is `s3://bucket` or `s3://bucket/prefix` */
export function parseStoreUri(uri: string): StoreUri {
  const problem = storeProblem(uri);
  if (problem === undefined) {
    const [bucket = '', ...prefix] = uri.slice('s3://'.length).replace(/\/+$/, '').split('/');
    return { bucket, prefix: prefix.join('/') };
  }
  throw new InputError({
    file: uri,
    field: 'store',
    problem: `is not the address of a bucket (${problem})`,
    remedy: 'Write s3://bucket or s3://bucket/prefix',
  });
}

/** `s3://bucket/prefix/runs/<run>` */
export function runUri(store: string, run: string): string {
  return `${store.replace(/\/+$/, '')}/runs/${run}`;
}

/** Its parts. @throws InputError when it is none */
export function splitRunUri(uri: string): { store: string; run: string } {
  const [, store, run] = /^(s3:\/\/.+)\/runs\/([^/]+)$/.exec(uri) ?? [];
  if (store !== undefined && run !== undefined) return { store, run };
  throw new InputError({
    file: uri,
    problem: 'is not the address of a run in a store',
    remedy: 'Write s3://bucket/prefix/runs/<run>, as `dataengine watch` shows it',
  });
}

/** The path of a reference to this machine's disk. @throws InputError for an address that has none */
export function localPath(reference: string): string {
  if (!reference.startsWith('file:')) return reference;
  try {
    return fileURLToPath(reference);
  } catch (cause) {
    const problem = `is no address of a folder on this machine (${(cause as NodeJS.ErrnoException).code})`;
    throw new InputError({ file: reference, problem, remedy: 'Write its path' }, { cause });
  }
}
