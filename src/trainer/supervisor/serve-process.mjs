/**
 * Runs a server of a worker's settings: `node serve-process.mjs JOB.json`. It leads the group of the server and all that the
 * server starts, and ends it when its own starter is gone: its standard input is closed then, however that happened.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [program, ...rest] = JSON.parse(readFileSync(process.argv[2], 'utf8')).command;
const endGroup = () => process.kill(-process.pid, 'SIGKILL');

process.stdin.on('end', endGroup).on('error', endGroup).resume();
// The group gets it too: the server has the time to stop by itself that its starter gives it.
process.on('SIGTERM', () => undefined);
const server = spawn(program, rest, { stdio: ['ignore', 'inherit', 'inherit'] });
server.on('error', (error) => {
  process.stderr.write(`${program} could not be started: ${error.message}\n`, () => process.exit(1));
});
server.on('exit', (code, signal) => {
  process.stderr.write(`the server ended (${signal ?? `exit code ${code}`})\n`, () => process.exit(1));
});
