/** A trainer that writes the merged model, and is killed before it compares that with base and adapter. */
import { merge } from '../../../src/trainer/jobs/merge/merge.ts';
import type { MergeJob } from '../../../src/trainer/protocol.ts';
import { protocolReporter, readJobSpec } from '../../../src/trainer/trainer-side.ts';

const { kind: _, ...job } = readJobSpec(process.argv[2] as string) as MergeJob;
const reporter = protocolReporter(new AbortController().signal, job.fence);
await merge({ ...job, parity: { ...job.parity, count: 0 } }, reporter);
process.kill(process.pid, 'SIGKILL');
