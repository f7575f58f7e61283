import { fileURLToPath } from 'node:url';
import { InputError } from '../input-error.ts';

/** Where objects are kept: a bucket, and what all their keys start with. */
export interface StoreUri {
  bucket: string;
  /** Without slashes at its ends; may be empty. */
  prefix: string;
}

// Amazon's rules for buckets, which other servers share.
const s3Uri = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*?))?\/*$/;

/** Whether a reference is to an object store; otherwise it is to this machine's disk: a path, or `file:///…`. */
export function isRemote(reference: string): boolean {
  return reference.startsWith('s3://');
}

/** @throws InputError unless it is `s3://bucket` or `s3://bucket/prefix` */
export function parseStoreUri(uri: string): StoreUri {
  const [, bucket, prefix = ''] = s3Uri.exec(uri) ?? [];
  if (bucket !== undefined && !/(^|\/)\.{1,2}(\/|$)|\/\/|[?#\s]/.test(prefix)) return { bucket, prefix };
  throw new InputError({
    file: uri,
    field: 'store',
    problem: 'is not the address of a bucket',
    remedy: 'Write s3://bucket or s3://bucket/prefix',
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
