/**
 * Feeds every parser of external input with random data, and with real files whose bytes are changed, removed or repeated. A parser may return, or throw an InputError that names the file; anything else,
 * and a hang, is a defect.
 *
 * Usage: npm run fuzz [-- --runs 2000 --seed 1 --only yaml]. A failure prints the seed and the input to reproduce it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { parsers } from './fuzz/parsers.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const [runs, seed] = [Number(values.runs), Number(values.seed)];
const folder = await mkdtemp(join(tmpdir(), 'dataengine-fuzz-'));

/** A real file with a few things done to it. */
function damaged(content: Buffer): fc.Arbitrary<Buffer> {
  const place = fc.nat(Math.max(0, content.length - 1));
  const change = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }) }),
    fc.record({ kind: fc.constant('cut' as const), at: place, bytes: fc.uint8Array({ maxLength: 64 }) }),
    fc.record({ kind: fc.constant('insert' as const), at: place, bytes: fc.uint8Array({ maxLength: 16 }) }),
  );
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) =>
    changes.reduce((current, { kind, at, bytes }) => {
      const rest = kind === 'insert' ? at : at + bytes.length;
      const middle = kind === 'cut' ? Buffer.alloc(0) : Buffer.from(bytes);
      return Buffer.concat([current.subarray(0, at), middle, current.subarray(rest)]);
    }, content),
  );
}

let failed = 0;
try {
  for (const { name, extension, sample, parse } of parsers) {
    if (values.only !== undefined && values.only !== name) continue;
    const content = await sample();
    const input = fc.oneof(
      { weight: 3, arbitrary: damaged(content) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)) },
      { weight: 1, arbitrary: fc.json({ maxDepth: 3 }).map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)) },
    );
    const file = join(folder, `input${extension}`);
    const startedAt = performance.now();
    const property = fc.asyncProperty(input, async (bytes) => {
      await writeFile(file, bytes);
      await parse(file, bytes);
    });
    const result = await fc.check(property, { numRuns: runs, seed, interruptAfterTimeLimit: 120_000, timeout: 20_000 });
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    if (!result.failed) {
      console.log(`✓ ${name.padEnd(16)} ${result.numRuns} inputs in ${seconds} s`);
      continue;
    }
    failed += 1;
    const [bytes] = result.counterexample ?? [];
    console.log(`✗ ${name.padEnd(16)} ${String(result.errorInstance)}`);
    console.log(`  seed ${result.seed}, input ${bytes?.subarray(0, 300).toString('base64')}`);
  }
  console.log(JSON.stringify({ fuzz: { runs, seed, failed } }));
  if (failed > 0) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
