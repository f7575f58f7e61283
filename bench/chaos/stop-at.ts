/**
 * Loaded into a program before it starts (`--import`): stops the whole process with `SIGSTOP` before its file operation of a number
 * in a folder, wherever in the program that is. At its end it writes how many there were.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { DATAENGINE_CHAOS_FOLDER: folder = '', DATAENGINE_CHAOS_STOP_AT, DATAENGINE_CHAOS_COUNT: file } = process.env;
const at = Number(DATAENGINE_CHAOS_STOP_AT ?? 0);
const operations = ['readFile', 'writeFile', 'rename', 'rm', 'link', 'open', 'mkdir', 'readdir', 'unlink', 'copyFile'];

let count = 0;
const promises = fs.promises as unknown as Record<string, (...given: unknown[]) => unknown>;
for (const name of operations) {
  const operation = promises[name] as (...given: unknown[]) => unknown;
  promises[name] = (...given) => {
    if (String(given[0]).startsWith(folder)) {
      count += 1;
      if (count === at) process.kill(process.pid, 'SIGSTOP');
    }
    return operation.apply(promises, given);
  };
}
syncBuiltinESMExports();
process.on('exit', () => {
  if (file !== undefined) fs.writeFileSync(file, String(count));
});
