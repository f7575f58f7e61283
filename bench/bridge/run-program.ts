import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { endingWithUs } from '../../demo/command/child-process.ts';

/** The program's command, as a checkout is run. */
export const dataengine = [process.execPath, '--import', 'tsx', 'cli/main.ts'] as const;

/**
 * Runs a program to its end; what it writes goes to the log, and its standard output is returned.
 *
 * @throws Error with the last lines of what it wrote, where it fails
 */
export async function runProgram(
  [program, ...programArguments]: readonly string[],
  { log, environment = {} }: { log: string; environment?: Record<string, string> },
): Promise<string> {
  const command = endingWithUs(program as string, programArguments);
  const child = spawn(command.program, command.arguments, { env: { ...process.env, ...environment } });
  const file = createWriteStream(log, { flags: 'a' });
  let [output, last] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      file.write(text);
      last = `${last}${text}`.slice(-3000);
    });
  }
  const [code] = await once(child, 'close');
  file.end();
  if (code !== 0)
    throw new Error(`${program} ${programArguments.slice(0, 6).join(' ')} … ended with ${code}:\n${last}`);
  return output;
}
