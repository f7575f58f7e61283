/** SeaweedFS, a real server that speaks S3, for tests and benchmarks. */
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { freePorts } from '../../src/core/free-ports.ts';

export const accessKeyId = 'test-access-key';
export const secretAccessKey = 'test-secret-access-key';
export const bucket = 'test-bucket';

/** Where `npm test` put it; undefined where there is none, and tests of S3 are skipped. */
export const s3Server = await readFile('.cache/setup.json', 'utf8')
  .then((text) => (JSON.parse(text) as { seaweed?: string }).seaweed)
  .then((path) => path && resolve('.cache', path))
  .catch(() => undefined);

if (s3Server === undefined) {
  process.stderr.write(
    'Tests of the store on S3 are skipped: `node scripts/setup.mjs --s3-server` downloads the server\n',
  );
}

export interface TestS3Server {
  endpoint: string;
  port: number;
  /** What a process needs in its environment to use it. */
  environment: Record<string, string>;
  /** Kills it, as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
}

/** Starts a server with one bucket, whose data lie in the folder. Only this machine can reach it. */
export async function startS3Server(folder: string): Promise<TestS3Server> {
  const data = join(folder, 's3-data');
  await mkdir(data, { recursive: true });
  const credentials = join(folder, 's3-config.json');
  const identity = { name: 'tests', credentials: [{ accessKey: accessKeyId, secretKey: secretAccessKey }] };
  await writeFile(credentials, JSON.stringify({ identities: [{ ...identity, actions: ['Admin'] }] }));
  const ports = await freePorts(9);
  const named = ['master', 'volume', 'filer', 's3'].flatMap((part, index) => [
    `-${part}.port=${ports[2 * index]}`,
    `-${part}.port.grpc=${ports[2 * index + 1]}`,
  ]);
  const line = [
    'server',
    '-s3',
    `-dir=${data}`,
    '-ip=127.0.0.1',
    '-ip.bind=127.0.0.1',
    ...named,
    `-s3.config=${credentials}`,
    '-s3.port.iceberg=0',
    '-s3.port.lance=0',
    '-master.telemetry=false',
    '-master.volumeSizeLimitMB=256',
    '-volume.max=20',
    '-filer.localSocket=',
    '-s3.localSocket=',
  ];
  const port = ports[6] as number;
  const endpoint = `http://127.0.0.1:${port}`;
  let child: ReturnType<typeof spawn> | undefined;
  const server: TestS3Server = {
    endpoint,
    port,
    environment: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: 'us-east-1',
    },
    async kill() {
      if (child === undefined || child.exitCode !== null) return;
      const exited = new Promise((resolve) => child?.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
    },
    async start() {
      child = spawn(s3Server as string, line, { stdio: 'ignore', cwd: folder });
      await untilItAnswers(endpoint);
    },
  };
  process.once('exit', () => child?.kill('SIGKILL'));
  await server.start();
  return server;
}

/** Makes the bucket, as soon as the server can: it is up before all its parts are. */
async function untilItAnswers(endpoint: string): Promise<void> {
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
  });
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      return;
    } catch (error) {
      const { name } = error as Error;
      if (name === 'BucketAlreadyOwnedByYou' || name === 'BucketAlreadyExists') return;
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}
