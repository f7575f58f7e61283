/**
 * A generation under faults: 10 percent 429, 5 percent 500, 2 percent cut connections, 2 percent nonsense, and a worker
 * killed twice with `kill -9`. Every request must be answered exactly once, the ledger must agree with the teacher's own
 * count, and the teacher must never see its limits exceeded. Exits with 1 otherwise.
 *
 * `npm run faults:generate -- [--requests 2000]`
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readRequests } from '../src/generation/sample-requests.ts';
import type { GenerateOutcome } from '../src/round/generate/results.ts';
import { generationFolder } from '../src/round/generate/work.ts';
import { readLedger } from '../src/teacher/ledger.ts';
import { queues, startRig, taskQueue } from './support/generation-rig.ts';
import { writeGenerationRun } from './support/generation-run.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '2000' },
    'requests-per-minute': { type: 'string', default: '6000' },
  },
});
const requests = Number(values.requests);
const say = (line: string) => process.stderr.write(`${line}\n`);

const folder = await mkdtemp(join(tmpdir(), 'faults-generate-'));
const rig = await startRig(folder, [
  ...['--latency', '50', '--requests-per-minute', values['requests-per-minute'], '--limit-window', '10'],
  ...['--rate-limited', '0.1', '--server-errors', '0.05', '--cut', '0.02', '--nonsense', '0.02'],
  ...['--retry-after', '0.2'],
]);
try {
  const context = await writeGenerationRun(folder, requests, {
    model: 'gpt-4',
    baseUrl: rig.baseUrl,
    concurrency: 32,
    chunkRequests: Math.min(100, Math.ceil(requests / 8)),
    maxConcurrentChunks: 4,
    storeAnswers: true,
    limits: { requestsPerMinute: Number(values['requests-per-minute']) },
  });
  await rig.startWorker();
  let victim = await rig.startWorker();
  const handle = await rig.client.workflow.start('dataEngineGeneration', {
    taskQueue,
    workflowId: 'faults-generate',
    args: [{ runDirectory: context.run.root, round: 1, queues }],
  });
  const result = handle.result() as Promise<GenerateOutcome>;
  result.catch(() => undefined);
  for (const share of [0.25, 0.5]) {
    while ((await rig.counts()).answered < share * requests) await sleep(50);
    process.kill(victim.pid, 'SIGKILL');
    say(`worker killed after ${(await rig.counts()).answered} answers`);
    await victim.ended;
    victim = await rig.startWorker();
  }
  const outcome = await result;
  const counts = await rig.counts();
  const ledger = await readLedger(context.run.root);
  const files = await generationFolder(context);
  const asked = (await readRequests(files.requestsFile)).map(({ id }) => id);
  const answered = (await readFile(files.resultFile, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { request_id: string }).request_id);

  const checks: [name: string, good: boolean][] = [
    ['every request is answered exactly once, in their order', JSON.stringify(answered) === JSON.stringify(asked)],
    [
      `the ledger's ${ledger.promptTokens} + ${ledger.completionTokens} tokens are the teacher's ${counts.promptTokens} + ${counts.completionTokens}`,
      ledger.promptTokens === counts.promptTokens && ledger.completionTokens === counts.completionTokens,
    ],
    [`no limit was exceeded (highest use ${counts.highestUse.toFixed(3)})`, counts.violations === 0],
    ['nothing is skipped or lost', outcome.unanswered === 0 && ledger.lostCalls === 0],
  ];
  for (const [name, good] of checks) say(`${good ? 'ok ' : 'BAD'} ${name}`);
  const good = checks.every(([, check]) => check);
  process.stdout.write(
    `${JSON.stringify({
      bench: 'generate-faults',
      good,
      requests,
      calls: counts.requests,
      answered: counts.answered,
      repeated: counts.repeated,
      faults: counts.faults,
      violations: counts.violations,
    })}\n`,
  );
  if (!good) process.exitCode = 1;
} finally {
  await rig.stop();
  await rm(folder, { recursive: true, force: true });
}
