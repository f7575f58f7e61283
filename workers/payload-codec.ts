/**
 * Payloads encrypted by AES-256-GCM: what Temporal's server keeps of inputs, results, heartbeats, memos, summaries and
 * errors. Every client and worker of a namespace has the same keys.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { parse } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure, type DataConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { InputError } from '../src/core/input-error.ts';
import { joinInside } from '../src/core/inside.ts';
import { readTextFile } from '../src/core/read-json.ts';
import { keepSecret } from '../src/core/without-secrets.ts';
import { damagedEncoding } from './payload-converter.cjs';

/** `id:base64`, or several with commas between: the first encrypts, all decrypt. */
export const payloadKeyVariable = 'DATAENGINE_PAYLOAD_KEY';
/** Path of a file with the keys, one a line. */
export const payloadKeyFileVariable = 'DATAENGINE_PAYLOAD_KEY_FILE';

/** Error types. An unknown key may be known to another worker, or to this one after a restart: it is retried. */
export const payloadFailures = { damaged: 'InputError', unknownKey: 'UnknownPayloadKey' } as const;

/** In order; the first encrypts. */
export type PayloadKeys = ReadonlyMap<string, Buffer>;

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const encoding = 'binary/encrypted';
const keyIdField = 'encryption-key-id';
const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const bytesOf = (text: string) => new TextEncoder().encode(text);
const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));
/** Of workers and clients, and of their bundle of workflows. */
export const plainConverters = { payloadConverterPath: pathOf('./payload-converter.cjs') };
/** Of those with a key. */
export const encryptingConverters = {
  ...plainConverters,
  failureConverterPath: pathOf('./encrypted-converters.cjs'),
};

/**
 * Reads the keys of this process.
 *
 * @param file instead of the one in the environment
 * @returns no keys where neither variable is set
 * @throws InputError, without any part of a key
 */
export async function loadPayloadKeys(
  file?: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<PayloadKeys> {
  const text = environment[payloadKeyVariable];
  const path = file ?? environment[payloadKeyFileVariable];
  if (!path) return text === undefined ? new Map() : parsePayloadKeys(text, payloadKeyVariable);
  if (text === undefined) return parsePayloadKeys(await readTextFile(path), path);
  const problem = `is set, and so is a file of keys, ${path}`;
  throw new InputError({ file: payloadKeyVariable, problem, remedy: 'Give the keys in one place' });
}

/** @throws InputError, without any part of a key */
export function parsePayloadKeys(text: string, file: string): PayloadKeys {
  const keys = new Map<string, Buffer>();
  const wrong = (problem: string) =>
    new InputError({ file, problem, remedy: 'Write id:key, where key is the output of `openssl rand -base64 32`' });
  const entries = text.split(/[\n,]/).flatMap((entry) => entry.trim() || []);
  for (const [index, entry] of entries.entries()) {
    const [, id, base64 = ''] = /^([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/]{43}=)$/.exec(entry) ?? [];
    const key = Buffer.from(base64, 'base64');
    if (id === undefined || key.length !== keyBytes)
      throw wrong(`key ${index + 1} is not an id and 32 bytes in base64`);
    if (keys.has(id)) throw wrong(`two keys have the id ${id}`);
    keepSecret(`${payloadKeyVariable} ${id}`, base64);
    keys.set(id, key);
  }
  if (keys.size === 0) throw wrong('holds no key');
  return keys;
}

/** For the SDK's clients and workers. Without keys nothing is encrypted, and the error for what is says so. */
export function payloadConverterOf(keys: PayloadKeys): DataConverter {
  const codec = payloadCodec(keys);
  const decode = async (payloads: Payload[]) =>
    (await Promise.all(payloads.map((one) => decodeOrMark(codec, one)))).flat();
  return { payloadCodecs: [{ ...codec, decode }], ...(keys.size === 0 ? plainConverters : encryptingConverters) };
}

/** An error of the codec would fail a workflow's task, again and again: the converters fail what uses the value instead. */
function decodeOrMark(codec: PayloadCodec, payload: Payload): Promise<Payload[]> {
  return codec.decode([payload]).catch((error: unknown) => {
    if (!(error instanceof ApplicationFailure) || error.type !== payloadFailures.damaged) throw error;
    return [{ metadata: { encoding: bytesOf(damagedEncoding) }, data: new Uint8Array() }];
  });
}

/** Where the bundle for workers with a payload key is, beside the one for others. */
export function encryptedBundle(file: string): string {
  const { dir, name, ext } = parse(file);
  return joinInside(dir, `${name}.encrypted${ext}`);
}

/** Encrypts with the first key. Plain payloads are decoded to themselves: runs may be started without a key. */
export function payloadCodec(keys: PayloadKeys): PayloadCodec {
  const [current] = keys;
  return {
    encode: async (payloads) => (current === undefined ? payloads : payloads.map((one) => encrypt(one, ...current))),
    decode: async (payloads) => payloads.map((one) => (isEncrypted(one) ? decrypt(one, keys) : one)),
  };
}

const metadataText = (payload: Payload, field: string) => Buffer.from(payload.metadata?.[field] ?? []).toString('utf8');
const isEncrypted = (payload: Payload) => metadataText(payload, 'encoding') === encoding;

/** Nonce, ciphertext and tag. The key's id is authenticated with them. */
function encrypt(payload: Payload, id: string, key: Buffer): Payload {
  // A client's input may have been encrypted before, by the codec server for Temporal's CLI.
  if (isEncrypted(payload)) return payload;
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bytesOf(id));
  const content = PayloadMessage.encode(payload).finish();
  const data = Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { encoding: bytesOf(encoding), [keyIdField]: bytesOf(id) }, data: new Uint8Array(data) };
}

function decrypt(payload: Payload, keys: PayloadKeys): Payload {
  const id = metadataText(payload, keyIdField);
  // No worker, now or later, can know the key of such a one.
  if (id === '')
    throw ApplicationFailure.nonRetryable(
      'A payload is encrypted and does not say with which key',
      payloadFailures.damaged,
    );
  const key = keys.get(id);
  if (key === undefined) throw unknownKey(id, keys);
  try {
    const data = Buffer.from(payload.data ?? []);
    const tag = data.subarray(-tagBytes);
    const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decipher.setAAD(bytesOf(id)).setAuthTag(tag);
    const content = decipher.update(data.subarray(nonceBytes, -tagBytes));
    // A plain object with fields of its own, as converters expect.
    const { metadata, data: inner } = PayloadMessage.decode(Buffer.concat([content, decipher.final()]));
    return { metadata, data: inner };
  } catch {
    throw ApplicationFailure.nonRetryable(
      `A payload was changed after it was encrypted with the key ${id}, or another key has that id here`,
      payloadFailures.damaged,
    );
  }
}

function unknownKey(id: string, keys: PayloadKeys): ApplicationFailure {
  const name = JSON.stringify(id.slice(0, 64));
  const known = keys.size === 0 ? 'there is no key here' : `known here: ${[...keys.keys()].join(', ')}`;
  const remedy = `Add it to ${payloadKeyVariable} or to the file that ${payloadKeyFileVariable} names`;
  const message = `A payload is encrypted with the key ${name}, which is unknown (${known}). ${remedy}`;
  return ApplicationFailure.retryable(message, payloadFailures.unknownKey);
}
