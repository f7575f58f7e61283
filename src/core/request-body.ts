/** Reading the body of a request to a server of ours, as far as a limit allows. */
import type { IncomingMessage } from 'node:http';

/** How long a client that sends too much may take to read the answer, before its connection is closed. */
const lingerMilliseconds = 1000;

/**
 * Reads a request's body. Of one that is too large the rest is never read, and the connection is closed soon after: a client
 * may go on sending without end.
 *
 * @returns undefined when it has more bytes than allowed
 * @throws when the client leaves before its end
 */
export function readRequestBody(request: IncomingMessage, maximumBytes: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const take = (piece: Buffer) => {
      bytes += piece.length;
      if (bytes <= maximumBytes) {
        pieces.push(piece);
        return;
      }
      request.off('data', take).pause();
      pieces.length = 0;
      // Unless the caller has thrown away the rest, and the connection may serve another request.
      setTimeout(() => request.complete || request.socket.destroy(), lingerMilliseconds).unref();
      resolve(undefined);
    };
    request.on('data', take);
    request.once('end', () => resolve(Buffer.concat(pieces)));
    request.once('error', reject);
  });
}
