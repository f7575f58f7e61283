/**
 * A mixture of A-OKVQA's size (17,000) and a million generated samples: time and peak of memory of reading them as
 * streams and writing a run's samples and order, against the same with a tenth of the generated samples. Each size runs
 * in a process of its own.
 *
 * Usage: npm run bench:mixture [-- --samples 1000000]
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { engineTexts, streamEngineData } from '../src/datasets/engine-data.ts';
import { type MixturePart, writeMixture } from '../src/datasets/mixture.ts';
import { writeJsonList } from '../src/datasets/write-conversations.ts';

const [AOKVQA, DRAWS] = [17_000, 3000 * 64];
const { values: flags } = parseArgs({
  options: { samples: { type: 'string', default: '1000000' }, part: { type: 'string' } },
});
const samples = Number(flags.samples);
const folder = join('.cache', 'bench', 'mixture');

async function* generated(count: number) {
  for (let index = 0; index < count; index += 1) {
    yield {
      image_id: index,
      raw_instructions: `Question: What is number ${index}? ${'The teacher wrote a good deal more than this. '.repeat(12)}`,
      question_type: 'image_scene',
      question: `What is number ${index} of this image?`,
      choices: ['a cat', 'a dog', 'a bird', 'a fish'],
      correct_choice_idx: index % 4,
      rationales: [`Explanation: one sees that it is number ${index}.`],
    };
  }
}

function part(name: string, file: string, sampleRatio: number): MixturePart {
  return {
    name,
    sampleRatio,
    async *samples() {
      let index = 0;
      for await (const sample of streamEngineData(file)) {
        const { question, answer } = engineTexts(sample, 'QMA');
        yield {
          id: `${name}-${index}`,
          source: name,
          image: `${sample.image_id}.jpg`,
          prompt: question,
          answer,
        };
        index += 1;
      }
    },
  };
}

async function measure(count: number) {
  const files = { base: join(folder, 'base.json'), generated: join(folder, `generated-${count}.json`) };
  const start = performance.now();
  const total = await writeMixture(join(folder, `out-${count}`), {
    parts: [part('aokvqa', files.base, 130), part('round1', files.generated, 1000)],
    seed: 1,
    count: DRAWS,
  });
  const seconds = (performance.now() - start) / 1000;
  return { total, seconds, peakMiB: Math.round(process.resourceUsage().maxRSS / 1024) };
}

async function write(count: number): Promise<void> {
  const file = join(folder, count === AOKVQA ? 'base.json' : `generated-${count}.json`);
  if (!(await stat(file).catch(() => undefined))) await writeJsonList(file, generated(count));
}

if (flags.part !== undefined) {
  console.log(JSON.stringify(await measure(Number(flags.part))));
} else {
  await mkdir(folder, { recursive: true });
  const sizes = [samples / 10, samples];
  for (const count of [AOKVQA, ...sizes]) await write(count);
  const results: { total: number; seconds: number; peakMiB: number }[] = [];
  for (const size of sizes) {
    const child = ['--import', 'tsx', import.meta.filename, '--part', String(size)];
    const { stdout } = await promisify(execFile)(process.execPath, child);
    const result = JSON.parse(stdout) as (typeof results)[number];
    console.log(`${result.total} samples: ${result.seconds.toFixed(1)} s, peak ${result.peakMiB} MiB`);
    results.push(result);
  }
  const [small, large] = results as [(typeof results)[number], (typeof results)[number]];
  console.log(
    JSON.stringify({
      bench: 'mixture',
      samples: large.total,
      seconds: Number(large.seconds.toFixed(1)),
      peakMiB: large.peakMiB,
      peakOverTenth: Number((large.peakMiB / small.peakMiB).toFixed(2)),
      bytesASample: Math.round(((large.peakMiB - small.peakMiB) * 2 ** 20) / (large.total - small.total)),
    }),
  );
  await rm(folder, { recursive: true, force: true });
}
