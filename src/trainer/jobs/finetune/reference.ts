/** What the reference of a finetune's preference pairs says of them: it stays as it is, so that it is asked once. */
import path from 'node:path';
import { z } from 'zod';
import { readJson } from '../../../core/read-json.ts';
import { writeJson } from '../../../core/write-file.ts';
import { viewsOf } from '../../../model/flat-parameters.ts';
import type { JobReporter } from '../../trainer-side.ts';
import type { ImageSource } from '../vision/image-features.ts';
import type { FinetuneProgram } from './finetune-program.ts';
import type { Pairs, Reference } from './pairs.ts';

const referenceSchema = z.object({
  jobHash: z.string(),
  pairs: z.array(z.tuple([z.int().nonnegative(), z.tuple([z.number(), z.number()])])),
});

/**
 * The reference's log probabilities of all pairs that are trained on, from an earlier attempt of the job if that got as far. The
 * program's state is as before.
 *
 * @param input.referenceAdapter its tensors by name. Default: the base model
 * @param input.checkpoints folder in which they are kept, for attempts that resume
 * @throws the reporter's reason when it is aborted
 */
export async function referenceOf(
  pairs: Pairs,
  input: {
    program: FinetuneProgram;
    features: ImageSource;
    referenceAdapter: ReadonlyMap<string, Float32Array> | undefined;
    checkpoints: string;
    jobHash: string;
    reporter: JobReporter;
  },
): Promise<Reference> {
  const { program, features, referenceAdapter, checkpoints, jobHash, reporter } = input;
  const file = path.join(checkpoints, 'reference.json');
  const known = await readJson(file, referenceSchema).catch(() => undefined);
  if (known?.jobHash === jobHash) return new Map(known.pairs);
  const start = program.read();
  const parameters = program.untrained.slice();
  for (const [name, view] of viewsOf(program.layout, parameters)) {
    const values = referenceAdapter?.get(name);
    if (values) view.set(values);
  }
  program.write({ ...start, parameters });
  const reference = await pairs.logProbabilities(program, features);
  program.write(start);
  reporter.requireFence();
  await writeJson(file, { jobHash, pairs: [...reference] });
  return reference;
}
