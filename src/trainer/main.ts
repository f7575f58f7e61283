/**
 * The trainer: the process that owns the GPU. Started by a worker or by the command line with the path of a
 * job file; speaks the trainer protocol (`src/trainer/protocol.ts`) on standard output.
 */

import { InputError } from '../core/input-error.ts';
import { embed } from './jobs/embed.ts';
import { evaluate } from './jobs/evaluate.ts';
import { finetune } from './jobs/finetune.ts';
import { merge } from './jobs/merge.ts';
import type { JobOutcome, JobReporter } from './jobs/report-progress.ts';
import type { JobSpec } from './protocol.ts';
import { exitWithParent, readJobSpec, sendMessage } from './supervisor/trainer-side.ts';

const PROGRESS_INTERVAL_MILLISECONDS = 200;

function runJob(job: JobSpec, reporter: JobReporter): Promise<JobOutcome> {
  switch (job.kind) {
    case 'finetune':
      return finetune(job, reporter);
    case 'merge':
      return merge(job, reporter);
    case 'evaluate':
      return evaluate(job, reporter);
    case 'embed':
      return embed(job, reporter);
  }
}

function protocolReporter(signal: AbortSignal): JobReporter {
  let sent = 0;
  return {
    signal,
    note: (message) => process.stderr.write(`${message}\n`),
    checkpoint: (checkpoint) => sendMessage({ type: 'checkpoint', ...checkpoint }),
    progress: (progress) => {
      const now = performance.now();
      if (progress.step < progress.steps && now - sent < PROGRESS_INTERVAL_MILLISECONDS) return;
      sent = now;
      sendMessage({ type: 'progress', ...progress });
    },
  };
}

function failure(error: unknown): { kind: 'input' | 'memory' | 'internal'; message: string; retryable: boolean } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof InputError) return { kind: 'input', message, retryable: false };
  if (/OOM|out of memory|ResourceExhausted|bad_alloc/i.test(message)) {
    return { kind: 'memory', message, retryable: false };
  }
  return { kind: 'internal', message, retryable: true };
}

async function main(): Promise<void> {
  const [file] = process.argv.slice(2);
  if (!file) throw new Error('usage: trainer <job.json>');
  exitWithParent();
  const abort = new AbortController();
  process.once('SIGTERM', () => abort.abort(new Error('stopped by SIGTERM')));
  const job = readJobSpec(file);
  sendMessage({ type: 'started' });
  const outcome = await runJob(job, protocolReporter(abort.signal));
  sendMessage({ type: 'done', ...outcome });
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  sendMessage({ type: 'failed', ...failure(error) });
  process.exitCode = 1;
});
