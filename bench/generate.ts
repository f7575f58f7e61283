/**
 * How fast a round's generation is, through the whole workflow: a real Temporal server, the real client and a local
 * teacher that takes 50 ms for an answer and enforces limits. The reference asks one request after another; the same
 * client does so here, before and after, so that both sides meet the same machine.
 *
 * The reference also waits 5 seconds between two requests. `speedup` in the JSON line leaves that pause out, since
 * anybody could; `speedupOverReference` has it in. Both are printed, and the processor time of each part, for on few
 * cores that is what bounds the rate. Then a second, smaller generation under limits that the machine could pass:
 * `limitUse` is the share of them that is used.
 *
 * `npm run bench:generate -- [--requests 20000] [--workers 2] [--requests-per-minute 90000] [--binding-limit 9000]`
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { localClient } from '../demo/local-teacher/provider.ts';
import { mean } from '../src/evaluation/statistics/student-t.ts';
import type { GenerateOutcome } from '../src/round/generate/results.ts';
import { askTeacher } from '../src/teacher/teacher.ts';
import { queues, startRig, taskQueue } from './support/generation-rig.ts';
import { writeGenerationRun } from './support/generation-run.ts';
import { examineHistories } from './support/histories.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    workers: { type: 'string', default: '2' },
    'requests-per-minute': { type: 'string', default: '90000' },
    'binding-limit': { type: 'string', default: '9000' },
    profiles: { type: 'string' },
  },
});
const requests = Number(values.requests);
const workers = Number(values.workers);
const latency = 50;
const sequentialRequests = 100;
const referencePauseSeconds = 5;
const workflowId = 'bench-generate';
const say = (line: string) => process.stderr.write(`${line}\n`);

const free = await measure(requests, Number(values['requests-per-minute']), values.profiles);
const bound = await measure(Math.ceil(requests / 5), Number(values['binding-limit']));
const { sequential, rate, outcome } = free;
const withPause = 1 / (1 / sequential + referencePauseSeconds);
process.stdout.write(
  `${JSON.stringify({
    bench: 'generate',
    requests,
    speedup: rounded(rate / sequential),
    speedupOverReference: rounded(rate / withPause),
    limitUse: rounded(bound.limitUse),
    peakMiB: Math.round(free.peakMiB),
    requestsPerSecond: rounded(rate),
    sequentialPerSecond: rounded(sequential),
    violations: free.violations + bound.violations,
    unanswered: outcome.unanswered + bound.outcome.unanswered,
    events: Math.max(free.events, bound.events),
    largestPayload: Math.max(free.largestPayload, bound.largestPayload),
  })}\n`,
);

/** One generation with a server, a teacher and workers of its own. */
async function measure(requests: number, requestsPerMinute: number, profiles?: string) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-generate-'));
  const rig = await startRig(
    folder,
    ['--latency', String(latency), '--requests-per-minute', String(requestsPerMinute), '--limit-window', '5'],
    profiles,
  );
  try {
    const context = await writeGenerationRun(folder, requests, {
      model: 'gpt-4',
      baseUrl: rig.baseUrl,
      concurrency: 160,
      chunkRequests: 250,
      maxConcurrentChunks: 8,
      limits: { requestsPerMinute },
    });
    await Promise.all(Array.from({ length: workers }, () => rig.startWorker()));

    const before = await sequentialRate(rig.baseUrl);
    const askedBefore = (await rig.counts()).requests;
    const processorBefore = await rig.processorTime();
    const startedAt = performance.now();
    const handle = await rig.client.workflow.start('dataEngineGeneration', {
      taskQueue,
      workflowId,
      args: [{ runDirectory: context.run.root, round: 1, queues }],
    });
    let done = false;
    const result = (handle.result() as Promise<GenerateOutcome>).finally(() => {
      done = true;
    });
    const memory: number[] = [];
    const answered: { at: number; requests: number }[] = [];
    while (!done) {
      memory.push((await rig.memory()).now);
      answered.push({ at: performance.now(), requests: (await rig.counts()).answered - askedBefore });
      await Promise.race([sleep(500), result.catch(() => undefined)]);
    }
    const outcome = await result;
    const seconds = (performance.now() - startedAt) / 1000;
    const processorAfter = await rig.processorTime();
    const after = await sequentialRate(rig.baseUrl);
    const { repeated, violations, highestUse } = await rig.counts();
    const { executions, events, largestPayload } = await examineHistories(rig.client, workflowId);

    const sequential = mean([before, after]);
    const rate = outcome.answers / seconds;
    // Planning, joining and the last chunks left out: what is asked while the window is full.
    const limitUse = (steadyRate(answered, requests) * 60) / requestsPerMinute;
    const { peak: peakMiB } = await rig.memory();
    const half = memory.slice(Math.floor(memory.length / 4), Math.floor(memory.length / 2));
    const end = memory.slice(-Math.max(1, Math.floor(memory.length / 4)));
    say(`limit             ${requestsPerMinute} requests a minute, ${(100 * limitUse).toFixed(1)} % of it used`);
    say(
      `as the teacher saw it: violations ${violations}, highest use ${highestUse.toFixed(3)}, answered twice ${repeated}`,
    );
    say(
      `sequential        ${sequential.toFixed(1)} requests/s (before ${before.toFixed(1)}, after ${after.toFixed(1)})`,
    );
    say(`workflow          ${rate.toFixed(1)} requests/s: ${outcome.answers} in ${seconds.toFixed(1)} s, joined`);
    const millisecondsEach = (part: 'workers' | 'teacher' | 'server') =>
      (1000 * (processorAfter[part] - processorBefore[part])) / outcome.answers;
    say(
      `processor time    ${millisecondsEach('workers').toFixed(2)} ms a request in the workers, ${millisecondsEach('teacher').toFixed(2)} in the teacher, ${millisecondsEach('server').toFixed(2)} in Temporal`,
    );
    say(
      `worker memory     ${mean(half).toFixed(0)} MiB in the second quarter, ${mean(end).toFixed(0)} MiB in the last`,
    );
    say(
      `histories         ${executions} executions, ${events} events at most; largest payload ${largestPayload} bytes\n`,
    );
    return { sequential, rate, limitUse, peakMiB, outcome, violations, events, largestPayload };
  } finally {
    await rig.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function sequentialRate(baseUrl: string): Promise<number> {
  const settings = {
    model: 'gpt-4',
    temperature: 0.7,
    topP: 0.9,
    maximumTokens: 800,
    requestTimeoutSeconds: 60,
  };
  const client = localClient(settings, baseUrl);
  const startedAt = performance.now();
  for (let number = 0; number < sequentialRequests; number += 1) {
    await askTeacher(client, [{ role: 'user', content: `Sequential ${startedAt} ${number}` }], settings);
  }
  return sequentialRequests / ((performance.now() - startedAt) / 1000);
}

/** Answers a second between a tenth and nine tenths of all. */
function steadyRate(seen: readonly { at: number; requests: number }[], all: number): number {
  const from = seen.find(({ requests }) => requests >= 0.1 * all);
  const until = seen.findLast(({ requests }) => requests <= 0.9 * all);
  if (!from || !until || until.at <= from.at) return 0;
  return (until.requests - from.requests) / ((until.at - from.at) / 1000);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
