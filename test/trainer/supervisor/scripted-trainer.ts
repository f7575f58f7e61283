/**
 * A trainer that does what TRAINER_SCRIPT says, one action after another, for the faults a real one rarely shows.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TrainerMessage } from '../../../src/trainer/protocol.ts';
import { exitWithParent, readJobSpec, sendMessage } from '../../../src/trainer/trainer-side.ts';

export type Action =
  | { say: TrainerMessage }
  | { print: string }
  | { complain: string }
  | { sleep: number }
  | { exit: number }
  | { die: NodeJS.Signals }
  | { ignoreTerm: true }
  | { startHelper: string }
  | { writePid: string }
  | { hold: number }
  | { write: string; text: string }
  | { hang: true }
  | { repeatProgress: number };

const held: Buffer[] = [];

readJobSpec(process.argv[2] as string);
exitWithParent();

for (const action of JSON.parse(process.env.TRAINER_SCRIPT ?? '[]') as Action[]) {
  if ('say' in action) sendMessage(action.say);
  if ('print' in action) process.stdout.write(`${action.print}\n`);
  if ('complain' in action) process.stderr.write(`${action.complain}\n`);
  if ('sleep' in action) await sleep(action.sleep);
  if ('exit' in action) process.exit(action.exit);
  if ('die' in action) process.kill(process.pid, action.die);
  if ('ignoreTerm' in action) process.on('SIGTERM', () => undefined);
  if ('hold' in action) held.push(Buffer.alloc(action.hold, 1));
  if ('write' in action) writeFileSync(action.write, action.text);
  if ('writePid' in action) writeFileSync(action.writePid, String(process.pid));
  if ('startHelper' in action) {
    const helper = spawn('sleep', ['600'], { stdio: ['ignore', 'inherit', 'inherit'] });
    writeFileSync(action.startHelper, String(helper.pid));
  }
  while ('repeatProgress' in action) {
    sendMessage({ type: 'progress', step: 3, steps: 10 });
    await sleep(action.repeatProgress);
  }
  while ('hang' in action) await sleep(1000);
}
process.exit(0);
