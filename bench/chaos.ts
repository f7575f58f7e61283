/**
 * Whether the loop gives the same results, whatever is done to it. In parts, each of which can be run alone:
 *
 * - `chaos`: a small round of the demo, once undisturbed and once with `kill -9` of the trainer, the GPU worker, the CPU worker,
 *   the teacher and the Temporal server at random moments, each while it is busy; a supervisor restarts it.
 * - `zombies`: steps by hand that are stopped (`SIGSTOP`) at points spread over their file operations, and go on (`SIGCONT`) when
 *   another process has done the step; and busy workers, until another attempt has begun.
 * - `owners`: other workflows, and steps by hand, that want the run while its workflow works on it.
 * - `resets`: `temporal workflow reset` of the run, its rounds and its generation, to each of their tasks.
 * - `nights`: a round a night with a pretend trainer: what it leaves on the disk, in the report and on the server.
 *
 * Fails unless all results are the same within 1e-5, or were refused in words; every kill happened and every victim restarted; no
 * step finished twice; neither a process nor a temporary file is left; and nights leave no more than those before them.
 *
 * Usage: npm run chaos [-- --parts chaos,zombies,owners,resets,nights --kills 20 --points 40 --tries 12 --most-resets 1000
 *   --nights 30 --nights-config bench/chaos/nights.yaml --seed 1 --config bench/chaos/chaos.yaml --keep]
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { projectFile } from '../src/core/files.ts';
import { type Check, checkKills, checkNights, sameResults } from './chaos/checks.ts';
import type { Finished } from './chaos/compare.ts';
import { runNights } from './chaos/nights.ts';
import { type Owners, tryToOwn } from './chaos/owners.ts';
import { resetAll } from './chaos/resets.ts';
import { type ChaosRun, runWithChaos } from './chaos/run.ts';
import type { Stack } from './chaos/stack.ts';
import { stopAtPoints, stopForLong, type Zombies } from './chaos/zombies.ts';

const allParts = ['chaos', 'zombies', 'owners', 'resets', 'nights'] as const;

const { values } = parseArgs({
  options: {
    parts: { type: 'string', default: allParts.join(',') },
    kills: { type: 'string', default: '20' },
    points: { type: 'string', default: '40' },
    tries: { type: 'string', default: '12' },
    'most-resets': { type: 'string', default: '1000' },
    nights: { type: 'string', default: '30' },
    'nights-config': { type: 'string', default: 'bench/chaos/nights.yaml' },
    seed: { type: 'string', default: '1' },
    config: { type: 'string', default: 'bench/chaos/chaos.yaml' },
    keep: { type: 'boolean', default: false },
  },
});
const parts = values.parts.split(',');
for (const part of parts)
  if (!allParts.some((known) => known === part))
    throw new Error(`--parts: no part ${part}. There are ${allParts.join(', ')}`);
const has = (part: (typeof allParts)[number]) => parts.includes(part);
const seed = Number(values.seed);
const points = Number(values.points);
/** Of the pretend trainer's models: what a night leaves of records is to them less than it is to a real one. */
const nightsModelBytes = 64 * 1024 * 1024;
/** So many of the points are stopped workers, if the run is not over before: each takes half a minute or more. */
const workerStops = Math.floor(0.15 * points);
// What one run computed must not pass for what the other should.
process.env.DATAENGINE_IMAGE_CACHE = 'off';

const say = (line: string) => console.log(line);
const folder = await mkdtemp(join(tmpdir(), 'dataengine-chaos-'));
if (values.keep) say(`All is kept in ${folder}`);
const common = { configFile: resolve(values.config), run: 'chaos', seed, teacherMilliseconds: 3000 };
const undisturbed = { ...common, kills: 0, seconds: 0 };
const checks: Check[] = [];
const line: Record<string, unknown> = {};
try {
  if (parts.some((part) => part !== 'nights')) await withCalm();
  if (has('nights')) await tried('nights', doNights);
  for (const [what, holds, value] of checks) say(`${holds ? '✓' : '✗'} ${what}: ${value}`);
  say(JSON.stringify(Object.fromEntries(allParts.map((part) => [part, line[part]]))));
  if (checks.some(([, holds]) => !holds)) process.exitCode = 1;
} finally {
  if (!values.keep) await rm(folder, { recursive: true, force: true });
}

/** A part that breaks off fails, and the others are done. */
async function tried(part: string, work: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  try {
    await work();
  } catch (error) {
    checks.push([`${part}: done to its end`, false, error instanceof Error ? error.stack : error]);
    line[part] ??= { failed: true };
  }
  say(`${part}: ${((performance.now() - startedAt) / 60_000).toFixed(1)} min`);
}

/** An undisturbed run, to which the others are compared; resets are done to it when it is over. */
async function withCalm(): Promise<void> {
  const kept = join(folder, 'kept');
  const calm = await runWithChaos({
    ...undisturbed,
    folder: join(folder, 'calm'),
    afterwards: async (stack, { result }) => {
      await cp(stack.directory, kept, { recursive: true });
      if (has('resets')) await tried('resets', () => doResets(stack, { directory: kept, result }));
    },
  });
  say(`Undisturbed it took ${calm.seconds.toFixed(0)} s.`);
  const wanted = { ...calm, directory: kept };
  if (has('chaos')) await tried('chaos', () => doKills(wanted));
  if (has('zombies')) await tried('zombies', () => doZombies(wanted));
  if (has('owners')) await tried('owners', () => doOwners(wanted));
}

async function same(what: string, wanted: Finished, run: Finished) {
  const compared = await sameResults(wanted, run);
  checks.push(...compared.checks.map(([name, ...rest]): Check => [`${what}: ${name}`, ...rest]));
  return compared;
}

async function doKills(calm: ChaosRun): Promise<void> {
  const count = Number(values.kills);
  const wild = await runWithChaos({
    ...common,
    folder: join(folder, 'wild'),
    kills: count,
    seconds: calm.seconds,
    onKill: ({ victim, at, pid, work }) =>
      say(`${at.toFixed(1).padStart(7)} s  kill -9 of the ${victim} (pid ${pid}), at ${work}`),
  });
  const { sameDataset, maxDifference } = await same('kills', calm, wild);
  const { checks: found, table } = await checkKills(calm, wild, { count, folder });
  checks.push(...found);
  say(table);
  say(`With ${wild.kills.length} kills it took ${wild.seconds.toFixed(0)} s.`);
  line.chaos = { kills: wild.kills.length, sameDataset, maxDifference };
}

/** Workers are stopped while the run goes on; when it is over, steps by hand are. */
async function doZombies(calm: ChaosRun): Promise<void> {
  let zombies: Zombies | undefined;
  const stopped = await runWithChaos({
    ...common,
    folder: join(folder, 'stopped'),
    among: ['GPU worker', 'CPU worker'],
    kills: workerStops,
    seconds: calm.seconds / 2,
    strike: stopForLong,
    onKill: ({ victim, at, work }) =>
      say(`${at.toFixed(1).padStart(7)} s  the ${victim} goes on after it was stopped, at ${work}`),
    afterwards: async (stack, { kills }) => {
      zombies = await stopAtPoints(stack, { points: points - kills.length, onPoint: say });
    },
  });
  if (zombies === undefined) throw new Error('no step by hand was stopped');
  const { isSame } = await same('zombies', calm, stopped);
  const { different, refused } = zombies;
  const done = zombies.points + stopped.kills.length;
  checks.push(['points at which a process was stopped', done === points, done]);
  checks.push(['workers that were stopped', stopped.kills.length > 0, stopped.kills.length]);
  checks.push(['points that differ', different.length === 0, different.join('\n  ') || 0]);
  checks.push(['no step finished twice', stopped.endedTwice.length === 0, stopped.endedTwice.join(' ') || 0]);
  line.zombies = { points: done, same: isSame && different.length === 0, refused, workers: stopped.kills.length };
}

async function doOwners(calm: ChaosRun): Promise<void> {
  let owners: Owners = { tried: 0, refused: 0, surprises: [] };
  const shared = await runWithChaos({
    ...undisturbed,
    folder: join(folder, 'owners'),
    meanwhile: async (stack, signal) => {
      owners = await tryToOwn(stack, { tries: Number(values.tries), seconds: 0.6 * calm.seconds, seed, signal });
    },
  });
  const { isSame } = await same('owners', calm, shared);
  const { tried, refused, surprises } = owners;
  checks.push(['others that were refused', tried > 0 && refused === tried, surprises.join('\n  ') || refused]);
  line.owners = { tried, refused, corrupted: isSame ? 0 : 1 };
}

async function doResets(stack: Stack, calm: Finished): Promise<void> {
  const most = Number(values['most-resets']);
  const { tasks, right, wrong } = await resetAll(stack, calm.result, { most, onReset: say });
  checks.push(['resets that ended right', tasks > 0 && right === tasks, wrong.join('\n  ') || right]);
  const { isSame } = await same('resets', calm, { directory: stack.directory, result: calm.result });
  line.resets = { tasks, right, same: isSame };
}

async function doNights(): Promise<void> {
  const nights = await runNights({
    folder: join(folder, 'nights'),
    configFile: resolve(values['nights-config']),
    run: 'nights',
    seed,
    trainerEntry: projectFile('bench/support/pretend-trainer.ts'),
    trainerEnvironment: { DATAENGINE_PRETEND_MODEL_BYTES: String(nightsModelBytes) },
    nights: Number(values.nights),
    onNight: ({ files, bytes, reportBytes, events, historyBytes }, number) =>
      say(
        `night ${number}: ${files} files, ${(bytes / 1024).toFixed(0)} KiB, report ${(reportBytes / 1024).toFixed(0)} KiB; ` +
          `${events} events, ${(historyBytes / 1024).toFixed(0)} KiB`,
      ),
  });
  const { checks: found, figures } = checkNights(nights);
  checks.push(...found);
  line.nights = figures;
}
