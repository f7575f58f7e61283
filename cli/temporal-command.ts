import { spawn } from 'node:child_process';
import type { Command } from 'commander';

/** Adds `dataengine temporal`: Temporal's own command, for machines where it is not on the PATH. */
export function addTemporalCommand(program: Command, signal: AbortSignal): void {
  program
    .command('temporal')
    .description('run the Temporal CLI that set-up has found or downloaded, with any arguments')
    .argument('[arguments...]', 'of the Temporal CLI')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText('after', '\nExample:\n  dataengine temporal workflow list')
    .action((given: string[]) => runTemporal(given, signal));
}

/** It has the terminal, and gets the terminal's signals itself: this process waits for its end. */
async function runTemporal(given: readonly string[], signal: AbortSignal): Promise<void> {
  const { temporalExecutable } = await import('../demo/command/temporal-server.ts');
  const child = spawn(await temporalExecutable(), given, { stdio: 'inherit' });
  const stop = () => child.kill();
  signal.addEventListener('abort', stop, { once: true });
  try {
    process.exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
