/**
 * COCO's annotations at full size: how long it takes to build the index of instances_train2017.json (448 MiB) and
 * captions_train2017.json, how much memory that needs, and how fast an existing index opens and reads.
 *
 * The files are generated from a seed, in the size and shape of the official ones. Building and reading each run in another
 * process, to measure the peak memory of each.
 *
 * Usage: npm run bench:coco [-- --scale 0.1]
 */
import { execFile } from 'node:child_process';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { hashFile } from '../src/core/hash.ts';
import { cocoIndexFile, withCoco } from '../src/datasets/coco-index.ts';
import { TRAIN2017, writeCocoFiles } from './support/coco-files.ts';

const READS = 2000;
// As many as a chunk of requests has.
const CHUNK = 250;

const { values: flags } = parseArgs({ options: { scale: { type: 'string', default: '1' }, part: { type: 'string' } } });
const scale = Number(flags.scale);
const folder = join('.cache', 'bench', `coco-${scale}`);
const cache = join(folder, 'index');
const files = await writeCocoFiles(folder, {
  images: Math.round(TRAIN2017.images * scale),
  boxes: Math.round(TRAIN2017.boxes * scale),
  captions: Math.round(TRAIN2017.captions * scale),
});
const peakMiB = () => Math.round(process.resourceUsage().maxRSS / 1024);
const secondsSince = (start: number) => Math.round((performance.now() - start) / 10) / 100;

async function build() {
  await rm(cache, { recursive: true, force: true });
  const start = performance.now();
  await cocoIndexFile(files, cache);
  const { user, system } = process.cpuUsage();
  return { seconds: secondsSince(start), cpuSeconds: Math.round((user + system) / 1e4) / 100, peakMiB: peakMiB() };
}

async function hash() {
  const start = performance.now();
  await hashFile(files.instances);
  await hashFile(files.captions);
  return { seconds: secondsSince(start) };
}

async function read() {
  const opening = performance.now();
  return withCoco(files, cache, async (coco) => {
    const openSeconds = secondsSince(opening);
    const reading = performance.now();
    let boxes = 0;
    const ids = (await coco.list()).map(({ id }) => id);
    const wanted = Array.from({ length: READS }, (_, index) => ids[(index * 7919) % ids.length] as number);
    for (let index = 0; index < READS; index += CHUNK) {
      for (const image of (await coco.read(wanted.slice(index, index + CHUNK))).values()) boxes += image.boxes.length;
    }
    const milliseconds = (performance.now() - reading) / READS;
    return { openSeconds, millisecondsARead: Number(milliseconds.toFixed(2)), boxes, peakMiB: peakMiB() };
  });
}

async function inProcess(part: string): Promise<Record<string, number>> {
  const child = ['--import', 'tsx', import.meta.filename, '--scale', String(scale), '--part', part];
  const { stdout } = await promisify(execFile)(process.execPath, child);
  return JSON.parse(stdout) as Record<string, number>;
}

const parts = { build, hash, read };
if (flags.part !== undefined) {
  console.log(JSON.stringify(await parts[flags.part as keyof typeof parts]()));
} else {
  const bytes = (await stat(files.instances)).size;
  console.log(
    `instances ${(bytes / 2 ** 20).toFixed(0)} MiB, captions ${((await stat(files.captions)).size / 2 ** 20).toFixed(0)} MiB`,
  );
  const built = await inProcess('build');
  console.log(`index built in ${built.seconds} s (${built.cpuSeconds} s of CPU), peak ${built.peakMiB} MiB`);
  const hashed = await inProcess('hash');
  console.log(`of which both files hashed: ${hashed.seconds} s`);
  const [name] = await readdir(cache);
  console.log(`index ${((await stat(join(cache, String(name)))).size / 2 ** 20).toFixed(0)} MiB`);
  const opened = await inProcess('read');
  console.log(
    `opened again in ${opened.openSeconds} s, ${opened.millisecondsARead} ms an image, peak ${opened.peakMiB} MiB`,
  );
  console.log(
    JSON.stringify({
      bench: 'coco',
      seconds: built.seconds,
      cpuSeconds: built.cpuSeconds,
      peakMiB: Math.max(built.peakMiB ?? 0, opened.peakMiB ?? 0),
      openSeconds: opened.openSeconds,
      millisecondsARead: opened.millisecondsARead,
    }),
  );
}
