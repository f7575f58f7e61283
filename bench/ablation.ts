/**
 * What Adaptive Bad-case Sampling adds, and what other ways of drawing do: the experiment of docs/experiment.md. Rounds with each way
 * against rounds with question types drawn uniformly, and against rounds that train on for as many steps with no new data: same base
 * model, round 0, images, teacher, requests and training steps. Every seed renders its own dataset.
 *
 * Without --run it prints what the committed results say, and runs nothing.
 *
 * Usage: npm run bench:ablation [-- --run --seeds 1,2,3,4]
 */
import { parseArgs } from 'node:util';
import { projectFile } from '../src/core/files.ts';
import { InputError } from '../src/core/input-error.ts';
import { describeResults, jsonOfResults } from './ablation/describe.ts';
import { type Line, readLines } from './ablation/lines.ts';
import { worlds } from './ablation/plan.ts';
import { runCell } from './ablation/run-cell.ts';
import { runMissing, tagOfCode } from './ablation/run-missing.ts';

const { values: flags } = parseArgs({
  options: {
    run: { type: 'boolean', default: false },
    seeds: { type: 'string', default: '1,2,3,4' },
    world: { type: 'string', default: 'demo' },
    results: { type: 'string', default: projectFile('bench/ablation/results.jsonl') },
    config: { type: 'string', default: 'configs/demo.yaml' },
    // The demo takes fewer, to end in minutes.
    steps: { type: 'string', default: '650' },
    work: { type: 'string', default: '.cache/bench/ablation' },
  },
});

async function runExperiment(): Promise<Line[]> {
  const { results: file, config, work } = flags;
  const world = worlds.find((known) => known === flags.world);
  if (world === undefined) throw wrongFlag('--world', `must be ${worlds.join(' or ')}`);
  const [steps = 0, ...seeds] = [flags.steps, ...flags.seeds.split(',')].map(Number);
  if ([steps, ...seeds].some((value) => !Number.isInteger(value) || value < 1))
    throw wrongFlag('--seeds', 'must be whole numbers from 1, as --steps');
  const tag = await tagOfCode(projectFile('.'), file);
  return runMissing({
    ...{ file, tag, world, seeds },
    run: (cell) => runCell(cell, { config, steps, work }, tag),
    onStart: ({ seed, arm, share }) => console.log(`${new Date().toISOString()} ${world} seed ${seed} ${arm} ${share}`),
  });
}

function wrongFlag(field: string, problem: string): InputError {
  return new InputError({ file: 'command line', field, problem, remedy: 'See docs/experiment.md' });
}

try {
  const lines = flags.run ? await runExperiment() : await readLines(flags.results);
  for (const text of describeResults(lines)) console.log(text);
  console.log(JSON.stringify(jsonOfResults(lines)));
} catch (error) {
  if (!(error instanceof InputError || error instanceof RangeError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
