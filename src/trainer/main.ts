/**
 * The trainer: the process that owns the GPU. Started by a worker or by the command line with the path of a
 * job file; speaks the trainer protocol (`src/trainer/protocol.ts`) on standard output.
 */

import { InputError } from '../core/input-error.ts';
import { embed } from './jobs/embed/embed.ts';
import { evaluate } from './jobs/evaluate/evaluate.ts';
import { finetune } from './jobs/finetune/finetune.ts';
import { measure } from './jobs/measure.ts';
import { merge } from './jobs/merge/merge.ts';
import type { FailureKind, JobOf, JobOutcome, JobSpec } from './protocol.ts';
import { exitWithParent, type JobReporter, protocolReporter, readJobSpec, sendMessage } from './trainer-side.ts';

/** What does the jobs of each kind. */
const jobs: { [Kind in JobSpec['kind']]: (job: JobOf<Kind>, reporter: JobReporter) => Promise<JobOutcome> } = {
  finetune,
  merge,
  evaluate,
  embed,
  measure,
};

function runJob<Kind extends JobSpec['kind']>(job: JobOf<Kind>, reporter: JobReporter): Promise<JobOutcome> {
  return jobs[job.kind as Kind](job, reporter);
}

function failure(error: unknown): { kind: FailureKind; message: string; retryable: boolean } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof InputError) return { kind: 'input', message, retryable: false };
  if (/OOM|out of memory|ResourceExhausted|bad_alloc/i.test(message)) {
    return { kind: 'memory', message, retryable: false };
  }
  return { kind: 'internal', message, retryable: true };
}

/** An input error is for a person, who can do nothing with a stack. */
function logged(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof InputError ? error.message : (error.stack ?? error.message);
}

async function main(): Promise<void> {
  const [file] = process.argv.slice(2);
  if (!file) throw new Error('usage: trainer <job.json>');
  exitWithParent();
  const abort = new AbortController();
  process.once('SIGTERM', () => abort.abort(new Error('stopped by SIGTERM')));
  const job = readJobSpec(file);
  sendMessage({ type: 'started' });
  const outcome = await runJob(job, protocolReporter(abort.signal, job.fence));
  sendMessage({ type: 'done', ...outcome });
}

main().catch((error: unknown) => {
  process.stderr.write(`${logged(error)}\n`);
  sendMessage({ type: 'failed', ...failure(error) });
  process.exitCode = 1;
});
