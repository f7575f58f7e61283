/** Nothing answered where Temporal's settings point to. */
export class ServerUnreachable extends Error {
  override readonly name = 'ServerUnreachable';

  constructor(address: string, cause: unknown) {
    const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    super(
      `No Temporal server can be reached at ${address} (${why}). Start one with \`temporal server start-dev\`, or say ` +
        'where it is with TEMPORAL_ADDRESS or a profile (TEMPORAL_PROFILE)',
      { cause },
    );
  }
}

/**
 * Connects, and tells a failure in words that help.
 *
 * @param address default: where a development server is
 * @throws ServerUnreachable
 */
export async function reach<R>(address: string | undefined, connect: () => Promise<R>): Promise<R> {
  try {
    return await connect();
  } catch (error) {
    throw new ServerUnreachable(address ?? 'localhost:7233', error);
  }
}
