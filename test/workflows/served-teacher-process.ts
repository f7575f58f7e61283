/**
 * `served-teacher-process.ts <port> <log> <milliseconds>`: a teacher behind a server that writes a line for each request that it is
 * asked (`asked <id of the call>`) and for each start (`started`), until it is killed.
 */
import { appendFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { startLocalTeacher } from '../../demo/local-teacher/server.ts';

const [port = '0', log = '', milliseconds = '0'] = process.argv.slice(2);
const teacher = await startLocalTeacher({ seed: 7, faults: { latencyMilliseconds: Number(milliseconds) } });
await appendFile(log, 'started\n');
createServer(async (request, response) => {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const { method = 'GET', url = '', headers } = request;
  const isAsked = method === 'POST';
  if (isAsked) await appendFile(log, `asked ${headers['x-client-request-id']} ${headers.authorization}\n`);
  const answer = await fetch(new URL(url, teacher.baseUrl), {
    method,
    ...(isAsked && { body: Buffer.concat(pieces), headers: { 'content-type': 'application/json' } }),
  });
  response
    .writeHead(answer.status, { 'content-type': 'application/json' })
    .end(Buffer.from(await answer.arrayBuffer()));
}).listen(Number(port), '127.0.0.1');
