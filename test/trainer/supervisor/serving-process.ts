/** `serving-process.ts <directory>`: starts the toy server for a folder, says when it is ready, and waits to be killed. */
import { setTimeout as wait } from 'node:timers/promises';
import { withServer } from '../../../src/trainer/supervisor/run-server.ts';
import { toyCommand } from '../../evaluation/endpoint/toy-command.ts';

const [directory = ''] = process.argv.slice(2);
const server = { ...toyCommand(), model: directory, directory, signal: new AbortController().signal };
await withServer(server, async ({ url }) => {
  process.stdout.write(`${url}\n`);
  await wait(600_000);
});
