/** A server and workers with a payload key, and the `temporal` command with and without the codec server. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, type Worker } from '@temporalio/worker';
import { serveCodec } from '../../cli/codec-server.ts';
import { temporalExecutable } from '../../demo/command/temporal-server.ts';
import {
  encryptingConverters,
  parsePayloadKeys,
  payloadCodec,
  payloadConverterOf,
} from '../../workers/payload-codec.ts';
import { registerSearchAttributes } from '../../workers/search-attributes.ts';
import { workflowsPath } from '../../workers/worker-flags.ts';
import { createWorker, quiet, type WorkflowTestEnvironment } from '../workflows/environment.ts';

/** A key of 32 random bytes in the form of `DATAENGINE_PAYLOAD_KEY`. */
export const newKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
export const converterOf = (...keys: string[]) => payloadConverterOf(parsePayloadKeys(keys.join(','), 'keys'));

export interface EncryptedWorld {
  environment: WorkflowTestEnvironment;
  /** The key, whose id is `k1`. */
  key: string;
  dataConverter: DataConverter;
  client: Client;
  /** With another key, say. */
  clientOf(dataConverter: DataConverter): Client;
  /** A worker with the key, unless it is given another one. */
  worker(queue: string, activities: object, dataConverter?: DataConverter): Promise<Worker>;
  /** Types a `temporal` command; its output. */
  temporal(words: readonly string[], withCodec: boolean): Promise<string>;
  /** Types it as JSON; the output, followed by what its payloads say in base64. */
  shown(words: readonly string[], withCodec?: boolean): Promise<string>;
  close(): Promise<void>;
}

/** The text, followed by what its payloads say in base64. */
export function withData(text: string): string {
  const inner = [...text.matchAll(/"data": ?"([A-Za-z0-9+/=]+)"/g)].map(([, data]) => atob(data as string));
  return [text, ...inner].join('\n');
}

export async function openEncryptedWorld(): Promise<EncryptedWorld> {
  const executable = await temporalExecutable();
  const [temporal, workflowBundle] = await Promise.all([
    TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'existing-path', path: executable } } }),
    bundleWorkflowCode({ workflowsPath, ...encryptingConverters, logger: quiet }),
  ]);
  await registerSearchAttributes(temporal.nativeConnection, 'default');
  const environment = { temporal, workflowBundle };
  const key = newKey('k1');
  const keys = parsePayloadKeys(key, 'keys');
  const own = payloadConverterOf(keys);
  const clientOf = (dataConverter: DataConverter) => new Client({ connection: temporal.connection, dataConverter });
  const ui = 'http://localhost:8233';
  const codec = await serveCodec({ codec: payloadCodec(keys), port: 0, ui, namespace: 'default' });

  async function run(words: readonly string[], withCodec: boolean): Promise<string> {
    const where = ['--address', temporal.address, ...(withCodec ? ['--codec-endpoint', codec.address] : [])];
    const { stdout } = await promisify(execFile)(executable, [...words, ...where], { maxBuffer: 1 << 26 });
    return stdout;
  }

  return {
    environment,
    key,
    dataConverter: own,
    client: clientOf(own),
    clientOf,
    worker: (queue, activities, dataConverter = own) => createWorker(environment, queue, activities, { dataConverter }),
    temporal: run,
    async shown(words, withCodec = false) {
      return withData(await run([...words, '--output', 'json'], withCodec));
    },
    async close() {
      await codec.close();
      await temporal.teardown();
    },
  };
}
