/**
 * Answers as OpenAI's servers write them.
 */
import type { ServerResponse } from 'node:http';

/** A response: a status with a JSON body, or a file's bytes. */
export interface Reply {
  status: number;
  body: object | Uint8Array;
  headers?: Record<string, string>;
}

export function send(response: ServerResponse, { status, body, headers }: Reply): void {
  const isFile = body instanceof Uint8Array;
  const bytes = isFile ? body : Buffer.from(JSON.stringify(body));
  response
    .writeHead(status, {
      'content-type': isFile ? 'application/octet-stream' : 'application/json',
      'content-length': bytes.length,
      ...headers,
    })
    .end(bytes);
}

/** An error in OpenAI's form. */
export function errorReply(
  status: number,
  message: string,
  code: string | null = null,
  headers?: Record<string, string>,
): Reply {
  const type = status >= 500 ? 'server_error' : status === 429 ? 'requests' : 'invalid_request_error';
  return { status, body: { error: { message, type, param: null, code } }, headers };
}

/** @returns the value, or undefined when the text is not JSON */
export function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
