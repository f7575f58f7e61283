/**
 * The `dataengine` command.
 */
import { guardTerminal, printable } from '../src/core/printable.ts';
import { describeFailure, exitCodes } from './failures.ts';
import { createProgram } from './program.ts';

// Texts from outside reach the terminal in many ways; none of them may control it.
guardTerminal(process.stdout);
guardTerminal(process.stderr);

const interruption = new AbortController();
const interrupt = () => {
  if (interruption.signal.aborted) {
    // The second signal: the first may wait for something that does not answer.
    process.exit(exitCodes.interrupted);
  }
  process.stderr.write('\nStopping …\n');
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
  await createProgram(interruption.signal).parseAsync();
} catch (error) {
  if (interruption.signal.aborted) {
    process.exitCode = exitCodes.interrupted;
  } else {
    const { message, exitCode } = describeFailure(error);
    if (message !== '') process.stderr.write(`${printable(message)}\n`);
    process.exitCode = exitCode;
  }
} finally {
  process.off('SIGINT', interrupt);
  process.off('SIGTERM', interrupt);
}
