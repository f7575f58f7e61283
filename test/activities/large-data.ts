/** A run with many records and large annotations of few images, and how long its steps hold the event loop. */
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { loadConfig } from '../../src/config/load-config.ts';
import { freezeConfig } from '../../src/round/frozen-config.ts';
import { writeTinyRun } from '../round/tiny-run.ts';

/** @returns the run's directory */
export async function writeLargeRun(
  folder: string,
  size: { records: number; annotationBytes: number },
): Promise<string> {
  const file = await writeTinyRun(folder);
  const data = join(folder, 'data');
  for (const split of ['train', 'val']) {
    const questions = join(data, 'A-OKVQA', `aokvqa_v1p0_${split}.json`);
    const known = JSON.parse(await readFile(questions, 'utf8'));
    await writeText(questions, manyQuestions(known, size.records / 2));
  }
  const instances = join(data, 'COCO2017', 'annotations', 'instances_train2017.json');
  await writeText(instances, manyBoxes(JSON.parse(await readFile(instances, 'utf8')), size.annotationBytes));
  return (await freezeConfig(await loadConfig(file), 'large')).directory.root;
}

/** The longest time in milliseconds that the loop of this process was held while the work ran. */
export async function longestHold(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  try {
    await work();
  } finally {
    delay.disable();
  }
  return delay.max / 1e6;
}

function writeText(file: string, pieces: Iterable<string>): Promise<void> {
  return pipeline(Readable.from(pieces), createWriteStream(file));
}

function* manyQuestions(known: object[], count: number): Generator<string> {
  for (let at = 0; at < count; at += 1000) {
    const some = Array.from({ length: Math.min(1000, count - at) }, (_, index) =>
      JSON.stringify({ ...known[(at + index) % known.length], question_type: 'color', question_id: `q-${at + index}` }),
    );
    yield `${at === 0 ? '[' : ','}${some.join(',\n')}`;
  }
  yield ']';
}

function* manyBoxes(known: { annotations: { id?: number }[] }, bytes: number): Generator<string> {
  const { annotations, ...rest } = known;
  yield `${JSON.stringify(rest).slice(0, -1)},"annotations":[`;
  const padding = 'x'.repeat(400);
  const piece = Array.from({ length: 1000 }, (_, index) =>
    JSON.stringify({ ...annotations[index % annotations.length], segmentation: padding }),
  ).join(',\n');
  for (let written = 0; written < bytes; written += piece.length) yield `${written === 0 ? '' : ','}${piece}`;
  yield ']}';
}
