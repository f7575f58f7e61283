/**
 * Whether the loop gives the same results, whichever process is killed. A small round of the demo, once undisturbed and once
 * with `kill -9` of the trainer, the GPU worker, the CPU worker, the teacher and the Temporal server at random moments,
 * each while it is busy; a supervisor restarts it.
 *
 * Fails unless every kill happened and every victim restarted, dataset, scores, losses and adapters are the same within
 * 1e-5, no step finished twice, and neither a process nor a temporary file is left.
 *
 * Usage: npm run chaos [-- --kills 20 --seed 1 --config bench/chaos/chaos.yaml --keep]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { type Victim, victims } from './chaos/at-work.ts';
import { compareRuns, leftovers } from './chaos/compare.ts';
import { runWithChaos } from './chaos/run.ts';
import { runningInGroup, runningWith } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    config: { type: 'string', default: 'bench/chaos/chaos.yaml' },
    keep: { type: 'boolean', default: false },
  },
});
const tolerance = 1e-5;
const teacherMilliseconds = 3000;
const [count, seed] = [Number(values.kills), Number(values.seed)];
// What one run computed must not pass for what the other should.
process.env.DATAENGINE_IMAGE_CACHE = 'off';

const folder = await mkdtemp(join(tmpdir(), 'dataengine-chaos-'));
try {
  const common = { configFile: resolve(values.config), run: 'chaos', seed, teacherMilliseconds };
  const calm = await runWithChaos({ ...common, folder: join(folder, 'calm'), kills: 0, seconds: 0 });
  console.log(`Undisturbed it took ${calm.seconds.toFixed(0)} s.`);
  const wild = await runWithChaos({
    ...common,
    folder: join(folder, 'wild'),
    kills: count,
    seconds: calm.seconds,
    onKill: ({ victim, at, pid, work }) =>
      console.log(`${at.toFixed(1).padStart(7)} s  kill -9 of the ${victim} (pid ${pid}), at ${work}`),
  });
  const comparison = await compareRuns(calm, wild);
  // Trainers have a file of the folder on their command lines.
  const trainers = (await runningWith(folder)).map(({ command }) => command);
  const orphans = [trainers, ...(await Promise.all([...calm.groups, ...wild.groups].map(runningInGroup)))].flat();
  const files = await leftovers(wild.directory);

  const table = new Table({
    head: ['victim', 'kills', 'starts', 'undisturbed', 'killed at'],
    style: { head: [] },
    colAligns: ['left', 'right', 'right', 'right', 'left'],
  });
  const killsOf = (victim: Victim) => wild.kills.filter((kill) => kill.victim === victim);
  const killed = victims.map((victim) => killsOf(victim).length);
  // A trainer is started for each job, the others only because they had ended.
  const restarted = (victim: Victim) => wild.starts[victim] >= calm.starts[victim] + killsOf(victim).length;
  for (const victim of victims) {
    const kills = killsOf(victim);
    const work = [...new Set(kills.map((kill) => kill.work.replace(/ .*/, ' …')))].join(', ');
    table.push([victim, kills.length, wild.starts[victim], calm.starts[victim], work]);
  }
  console.log(String(table));
  console.log(`With ${wild.kills.length} kills it took ${wild.seconds.toFixed(0)} s.`);
  const checks: [string, boolean, unknown][] = [
    ['as many kills as requested', wild.kills.length === count, wild.kills.length],
    ['every victim killed', killed.every((count) => count > 0), killed.join(' ')],
    ['every victim restarted', victims.every(restarted), victims.map((victim) => wild.starts[victim]).join(' ')],
    ['same dataset', comparison.sameDataset, comparison.sameDataset],
    ['same scores', comparison.scores <= tolerance, comparison.scores],
    ['same losses', comparison.losses <= tolerance, comparison.losses],
    ['same adapters', comparison.adapter <= tolerance, comparison.adapter],
    ['no step finished twice', wild.endedTwice.length === 0, wild.endedTwice.join(' ') || 0],
    ['no process left', orphans.length === 0, orphans.join(' ') || 0],
    ['no temporary file left', files.length === 0, files.join(' ') || 0],
  ];
  for (const [what, holds, value] of checks) console.log(`${holds ? '✓' : '✗'} ${what}: ${value}`);
  const maxDifference = Math.max(comparison.scores, comparison.losses, comparison.adapter);
  const { sameDataset } = comparison;
  console.log(JSON.stringify({ chaos: { kills: wild.kills.length, sameDataset, maxDifference } }));
  if (checks.some(([, holds]) => !holds)) process.exitCode = 1;
} finally {
  if (values.keep) console.log(`Kept in ${folder}`);
  else await rm(folder, { recursive: true, force: true });
}
