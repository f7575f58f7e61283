/**
 * What Temporal itself costs.
 *
 * **A run**: the demo's loop with a real server, real workers and the real trainer. Its workers log when a step of the
 * library starts and ends; `share` is the part of the run's time in which none ran.
 *
 * **A fleet**: one evaluation of many shards on many simulated GPU workers, of a second each on average (no model;
 * server, workers, workflow and heartbeats are real). Then the same with shards that take no time: how many one
 * server on this machine can dispatch. Then one shard of 20 seconds a worker: what the heartbeats cost the server.
 *
 * `npm run bench:orchestration -- [--config configs/demo.yaml] [--workers 50] [--shards 1000] [--fleet-only]`
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type FleetFigures, measureFleet } from './orchestration/fleet.ts';
import { measureRun, type RunShare } from './orchestration/run-share.ts';
import { quantile } from './support/statistics.ts';

const { values } = parseArgs({
  options: {
    config: { type: 'string', default: 'configs/demo.yaml' },
    workers: { type: 'string', default: '50' },
    shards: { type: 'string', default: '1000' },
    'fleet-only': { type: 'boolean', default: false },
  },
});
const workers = Number(values.workers);
const shards = Number(values.shards);
const say = (line: string) => process.stderr.write(`${line}\n`);

const run = values['fleet-only'] ? undefined : await inFolder((folder) => measureRun(values.config, folder));
if (run !== undefined) printRun(run);
const busy = await inFolder((folder) => measureFleet({ workers, shards, milliseconds: 1000 }, folder));
printFleet('shards of a second', busy);
const empty = await inFolder((folder) => measureFleet({ workers, shards, milliseconds: 0 }, folder));
printFleet('shards of no time', empty);
// One long shard a worker: in the meantime the server only takes heartbeats.
const beating = await inFolder((folder) => measureFleet({ workers, shards: workers, milliseconds: 20_000 }, folder));
const beats = workers * 20;
const beatMilliseconds = (1000 * beating.serverSeconds) / beats;
say(
  `heartbeats        ${beatMilliseconds.toFixed(1)} ms of the server's processor time each, one a second and worker\n`,
);

process.stdout.write(
  `${JSON.stringify({
    bench: 'orchestration',
    share: run && rounded(run.orchestration / run.seconds, 4),
    ...{ workers, shards },
    efficiency: rounded(busy.efficiency, 3),
    idleMilliseconds: [0.5, 0.99].map((part) => rounded(quantile(busy.idle, part), 1)),
    scheduleToStartMilliseconds: [0.5, 0.99].map((part) => rounded(quantile(busy.scheduleToStart, part), 1)),
    shardsPerSecond: rounded(empty.shardsPerSecond, 1),
    events: busy.events,
    historyKiB: Math.round(busy.historyKiB),
    largestPayload: busy.largestPayload,
    serverMiB: Math.round(busy.serverMiB),
    workflowWorkerMiB: Math.round(busy.workflowWorkerMiB),
    heartbeatMilliseconds: rounded(beatMilliseconds, 2),
  })}\n`,
);

async function inFolder<R>(work: (folder: string) => Promise<R>): Promise<R> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-orchestration-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function printRun({ seconds, orchestration, rounds, steps, server }: RunShare): void {
  say(`run               ${seconds.toFixed(1)} s: ${rounds} rounds, ${steps} calls of the library`);
  say(
    `orchestration     ${orchestration.toFixed(2)} s, ${((100 * orchestration) / seconds).toFixed(2)} %: ` +
      `${(orchestration / rounds).toFixed(2)} s a round, ${((1000 * orchestration) / steps).toFixed(0)} ms a call`,
  );
  say(`processor time    ${server.toFixed(1)} s in the Temporal server\n`);
}

function printFleet(name: string, figures: FleetFigures): void {
  const { seconds, shardsPerSecond, efficiency, idle, scheduleToStart } = figures;
  const spread = (times: number[]) =>
    `median ${quantile(times, 0.5).toFixed(0)} ms, 99 % below ${quantile(times, 0.99).toFixed(0)} ms`;
  say(`${name}: ${shards} on ${workers} workers in ${seconds.toFixed(1)} s, ${shardsPerSecond.toFixed(0)} a second`);
  say(`efficiency        ${(100 * efficiency).toFixed(1)} % of the ideal time`);
  say(`idle              ${spread(idle)} between two shards of a worker`);
  say(`schedule to start ${spread(scheduleToStart)} while workers were free`);
  say(
    `history           ${figures.events} events, ${figures.historyKiB.toFixed(0)} KiB, largest payload ${figures.largestPayload} bytes`,
  );
  say(
    `memory            server ${figures.serverMiB.toFixed(0)} MiB, workflow worker ${figures.workflowWorkerMiB.toFixed(0)} MiB\n`,
  );
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
