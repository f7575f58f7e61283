import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { endingWithUs, startOwned } from '../../demo/command/child-process.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { dataengine } from './run-program.ts';

const SECONDS_TO_START = 300;

/**
 * `dataengine serve` in a process of its own, which ends with this one.
 *
 * @throws Error where it ends before it answers
 */
export async function startServer(model: string, logFile: string) {
  const [port] = await freePorts(1);
  const [program, ...started] = [...dataengine, 'serve', model, '--name', 'bridge', '--port', String(port)];
  await rm(logFile, { force: true });
  const owned = await startOwned({ name: 'server', ...endingWithUs(program as string, started), logFile });
  let ended: string | undefined;
  void owned.ended.then((how) => {
    ended = how;
  });
  const address = `http://127.0.0.1:${port}`;
  const isUp = async () => (await fetch(`${address}/health`).catch(() => undefined))?.ok === true;
  for (const before = Date.now(); !(await isUp()); await sleep(500)) {
    if (ended !== undefined) throw new Error(`dataengine serve ${ended}; see ${logFile}`);
    if (Date.now() - before > SECONDS_TO_START * 1000)
      throw new Error(`dataengine serve does not answer; see ${logFile}`);
  }
  return { url: `${address}/v1`, model: 'bridge', stop: () => owned.stop(10) };
}
