/**
 * How workers and the command line reach Temporal. The SDK is loaded when a connection is made.
 */
import type { NativeConnection } from '@temporalio/worker';

/** No server answers where Temporal's settings point to. */
export class ServerUnreachable extends Error {
  override readonly name = 'ServerUnreachable';

  constructor(address: string, cause: unknown) {
    super(
      `No Temporal server can be reached at ${address} (${reasonOf(cause)}). Start one with \`dataengine temporal server start-dev\`, or say ` +
        'where it is with TEMPORAL_ADDRESS or a profile (TEMPORAL_PROFILE)',
      { cause },
    );
  }
}

/** The workers' client is written in Rust: its error is a value of that language, with the system's words in it. */
function reasonOf(cause: unknown): string {
  const [line = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  if (/before the deadline/.test(line)) return 'no answer';
  const [, words = line] = /message: "([^"]+)"/.exec(line) ?? [];
  return words.charAt(0).toLowerCase() + words.slice(1);
}

/** It takes ten seconds to be sure that no server answers. */
const silentMilliseconds = 2000;

/**
 * Connects.
 *
 * @param address default: that of a development server
 * @param onWait called once when it takes longer than usual
 * @throws ServerUnreachable
 */
export async function reach<R>(
  address: string | undefined,
  connect: () => Promise<R>,
  onWait?: (address: string) => void,
): Promise<R> {
  const place = address ?? 'localhost:7233';
  const said = setTimeout(() => onWait?.(place), silentMilliseconds);
  try {
    return await connect();
  } catch (error) {
    throw new ServerUnreachable(place, error);
  } finally {
    clearTimeout(said);
  }
}

/** A worker's connection to Temporal, and the namespace it works in. */
export interface WorkerConnection {
  connection: NativeConnection;
  namespace: string;
}

/**
 * Connects as the `temporal` command would: TEMPORAL_ADDRESS and its like, or a profile of Temporal's config file
 * (TEMPORAL_PROFILE); otherwise the default namespace of localhost:7233.
 *
 * @throws ServerUnreachable
 */
export async function connectWorker(): Promise<WorkerConnection> {
  const { loadClientConnectConfig } = await import('@temporalio/envconfig');
  const { NativeConnection } = await import('@temporalio/worker');
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await reach(connectionOptions.address, () => NativeConnection.connect(connectionOptions));
  return { connection, namespace };
}
