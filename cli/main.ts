/**
 * The `dataengine` command.
 */
import type { Command } from 'commander';
import { describeKeptByNpm } from '../scripts/setup/npm-options.mjs';
import { guardTerminal, printable } from '../src/core/printable.ts';
import { describeFailure, exitCodes, Interrupted } from './failures.ts';
import { createProgram } from './program.ts';
import { say } from './say.ts';

// Texts from outside reach the terminal in many ways; none of them may control it.
guardTerminal(process.stdout);
guardTerminal(process.stderr);

const interruption = new AbortController();
const interrupt = () => {
  if (interruption.signal.aborted) {
    // The second signal: the first may wait for something that does not answer.
    process.exit(exitCodes.interrupted);
  }
  say('\nStopping …');
  interruption.abort(new Error('interrupted'));
};
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);
// A reader of the output may stop early, as `head` does: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.ok);
});

try {
  const program = createProgram(interruption.signal);
  const kept = describeKeptByNpm(optionsOf(program), process.env);
  if (kept === undefined) await program.parseAsync();
  else {
    say(kept);
    process.exitCode = exitCodes.wrongInput;
  }
} catch (error) {
  if (interruption.signal.aborted && !(error instanceof Interrupted)) {
    process.exitCode = exitCodes.interrupted;
  } else {
    const { message, exitCode } = describeFailure(error);
    if (message !== '') say(printable(message));
    process.exitCode = exitCode;
  }
} finally {
  process.off('SIGINT', interrupt);
  process.off('SIGTERM', interrupt);
}

/** The names of all options, of all commands. */
function optionsOf(command: Command): string[] {
  const own = command.options.flatMap(({ long }) => long?.slice(2) ?? []);
  return [...own, ...command.commands.flatMap(optionsOf)];
}
