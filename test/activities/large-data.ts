/** A run with many records and large annotations of few images, and how long its steps hold the event loop. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { loadConfig } from '../../src/config/load-config.ts';
import { freezeConfig } from '../../src/round/frozen-config.ts';
import { writeTinyRun } from '../round/tiny-run.ts';

/** @returns the run's directory */
export async function writeLargeRun(
  folder: string,
  size: { records: number; annotationBytes: number },
): Promise<string> {
  // Images with many boxes are sampled too.
  const file = await writeTinyRun(folder, (config) => ({
    ...config,
    sampling: { ...config.sampling, maximumBoxes: Number.MAX_SAFE_INTEGER },
  }));
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

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/**
 * The longest time in milliseconds that the loop of this process was held while the work ran. On a busy machine every thread
 * waits for a processor: as long as one that does nothing had to wait is not counted.
 */
export async function longestHold(work: () => Promise<unknown>): Promise<number> {
  const idle = new Worker(
    `const { monitorEventLoopDelay } = require('node:perf_hooks');
    const { parentPort } = require('node:worker_threads');
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    parentPort.once('message', () => parentPort.postMessage(delay.max));
    parentPort.postMessage(0);`,
    { eval: true, execArgv: [] },
  );
  await once(idle, 'message');
  // What a test wrote before is not collected while it measures.
  collectGarbage();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  try {
    await work();
  } finally {
    delay.disable();
    idle.postMessage('stop');
  }
  const [waited] = await once(idle, 'message');
  return Math.max(0, delay.max - waited) / 1e6;
}

function writeText(file: string, pieces: Iterable<string>): Promise<void> {
  return pipeline(Readable.from(pieces), createWriteStream(file));
}

function* manyQuestions(known: object[], count: number): Generator<string> {
  for (let at = 0; at < count; at += 1000) {
    const some = Array.from({ length: Math.min(1000, count - at) }, (_, index) =>
      JSON.stringify({
        ...known[(at + index) % known.length],
        question_type: 'attribute_recognition',
        question_id: `q-${at + index}`,
      }),
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
