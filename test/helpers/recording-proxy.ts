import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { z } from 'zod';

const part = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('image_url'), image_url: z.object({ url: z.string(), detail: z.string() }) }),
]);
const bodySchema = z.looseObject({
  messages: z.array(z.object({ role: z.string(), content: z.union([z.string(), z.array(part)]) })),
});

/** A chat request as it came over the wire. */
export interface RecordedRequest {
  url: string;
  headers: IncomingHttpHeaders;
  body: z.output<typeof bodySchema>;
}

/**
 * A server for one test that passes chat requests on to a teacher, whatever their path, and remembers them. What is not
 * `accepted`, and what is no chat request, gets a 404, as from a server that does not know the path.
 */
export async function recordingProxy(teacherBaseUrl: string, accepted: (request: RecordedRequest) => boolean) {
  const requests: RecordedRequest[] = [];
  const server = createServer(async (request, response) => {
    const { url = '', headers, method } = request;
    const refuse = () => {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"error": {"code": "404", "message": "Resource not found"}}');
    };
    if (method !== 'POST') return refuse();
    const recorded = { url, headers, body: bodySchema.parse(await json(request)) };
    requests.push(recorded);
    if (!accepted(recorded)) return refuse();
    const answer = await fetch(`${teacherBaseUrl}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(recorded.body),
    });
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}
