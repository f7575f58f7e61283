import { InputError } from '../input-error.ts';

/** A store can't be reached or has trouble: a retry may succeed. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError';
}

/** An object is not what was uploaded. A retry succeeds only after it was uploaded again. */
export class DamagedObject extends StoreError {
  override readonly name = 'DamagedObject';
}

/** The bucket and object of a request. */
export interface RequestPlace {
  bucket: string;
  /** Absent for requests about the bucket. */
  key?: string | undefined;
}

interface Failure {
  name?: string;
  code?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number };
}

const check = 'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, where this worker is started';

/** What a person must repair, by the name that S3 or the SDK gives the error. */
const mistakes: Record<string, { problem: string; remedy: string }> = {
  CredentialsProviderError: { problem: 'there are no credentials for it', remedy: check },
  InvalidAccessKeyId: { problem: 'does not know this access key', remedy: check },
  SignatureDoesNotMatch: { problem: 'refuses the secret of this access key', remedy: check },
  AccessDenied: {
    problem: 'refuses access',
    remedy: 'Allow this access key to list the bucket, and to get, put and delete its objects, or use another',
  },
  NoSuchBucket: { problem: 'there is no such bucket', remedy: 'Create it, or correct `store` in the config' },
  InvalidBucketName: { problem: 'is not a valid name of a bucket', remedy: 'Correct `store` in the config' },
  PermanentRedirect: { problem: 'the bucket is in another region', remedy: 'Set AWS_REGION to that region' },
  AuthorizationHeaderMalformed: { problem: 'the bucket is in another region', remedy: 'Set AWS_REGION to that region' },
  NoRegion: { problem: 'no region is set', remedy: 'Set AWS_REGION, or AWS_ENDPOINT_URL_S3 for a server of your own' },
};

/**
 * The error with a message that names bucket and key.
 *
 * @returns InputError for what a person must repair, else StoreError: a retry may succeed
 */
export function storeErrorFrom(cause: unknown, { bucket, key }: RequestPlace): Error {
  if (cause instanceof InputError || cause instanceof StoreError) return cause;
  const place = key === undefined ? `s3://${bucket}` : `s3://${bucket}/${key}`;
  const failure = cause as Failure;
  const mistake = mistakes[mistakeOf(failure)];
  if (mistake !== undefined) return new InputError({ file: place, ...mistake }, { cause });
  return new StoreError(`${place}: ${describe(failure)}`, { cause });
}

function mistakeOf({ name = '', message = '', $metadata }: Failure): string {
  if (name in mistakes) return name;
  if (/region is missing/i.test(message)) return 'NoRegion';
  // Answers without a body, as to HEAD, have no name.
  return $metadata?.httpStatusCode === 403 || $metadata?.httpStatusCode === 401 ? 'AccessDenied' : '';
}

function describe({ name, code, message, $metadata }: Failure): string {
  const status = $metadata?.httpStatusCode;
  const what = code ?? (name === 'Unknown' ? undefined : name) ?? 'the request failed';
  return `${what}${status === undefined ? '' : ` (HTTP ${status})`}${message && message !== what ? `: ${message}` : ''}`;
}
