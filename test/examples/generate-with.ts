/**
 * Has a teacher write three samples: `generate-with.ts PROVIDER MODEL [BASE_URL]`, run in a project that has the provider.
 * Prints what the step returned, and how a dataset version names the samples' author and their price.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { paidPrice, teacherName } from '../../src/round/teacher.ts';

const [provider, model, baseUrl] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'provider-'));
try {
  const context = await writeGenerationRun(folder, 3, { provider, model, baseUrl });
  const outcome = await generate(context);
  process.stdout.write(
    JSON.stringify({ outcome, author: teacherName(context), price: (await paidPrice(context)) ?? null }),
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
