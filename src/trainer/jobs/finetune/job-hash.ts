import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { hashFile, hashValue } from '../../../core/hash.ts';
import { readJsonLines } from '../../../core/read-json.ts';
import { preferenceSampleSchema } from '../../../datasets/preference-pairs.ts';
import { type Turn, trainingSampleSchema } from '../../../datasets/train-dataset.ts';
import { validationQuestionSchema } from '../../job-files.ts';
import { type FinetuneJob, type SettingsOf, trainerVersion } from '../../protocol.ts';
import { tokenizedOf } from '../sequence.ts';

/** What a checkpoint belongs to: the job without its paths. */
export async function hashOfJob(settings: SettingsOf<FinetuneJob>, weightsHash: string): Promise<string> {
  const {
    model: _model,
    family,
    output: _output,
    fence: _fence,
    samples,
    order,
    startAdapter,
    checkpointEverySteps: _every,
    preference,
    validation,
    validationLoss,
    ...rest
  } = settings;
  const [samplesHash, orderHash, startHash, preferenceHash, validationHash, validationSamplesHash] = await Promise.all([
    contentHash(samples),
    hashFile(order),
    startAdapter && hashOfAdapter(startAdapter),
    preference && hashOfPreference(preference),
    validation && hashOfValidation(validation),
    validationLoss && contentHash(validationLoss.samples),
  ]);
  return hashValue({
    ...rest,
    trainerVersion,
    weightsHash,
    samplesHash,
    orderHash,
    startHash,
    preferenceHash,
    validationHash,
    validationLoss: validationLoss && { ...validationLoss, samples: validationSamplesHash },
    tokenized: tokenizedOf(family),
  });
}

const hashOfAdapter = (directory: string) => hashFile(path.join(directory, 'adapter_model.safetensors'));

async function hashOfPreference({
  pairs,
  order,
  referenceAdapter,
  ...rest
}: NonNullable<FinetuneJob['preference']>): Promise<string> {
  const all = await readJsonLines(pairs, preferenceSampleSchema);
  return hashValue({
    ...rest,
    pairs: all.map(({ image = '', ...texts }) => ({ ...texts, image: path.basename(image) })),
    order: await hashFile(order),
    reference: referenceAdapter && (await hashOfAdapter(referenceAdapter)),
  });
}

/** The samples' texts and images by name: the same data in another folder is the same job. */
async function contentHash(samples: string): Promise<string> {
  const lines = (await readFile(samples, 'utf8')).trimEnd().split('\n');
  return hashValue(
    lines.map((line) => {
      const sample = trainingSampleSchema.parse(JSON.parse(line));
      if ('turns' in sample) return [sample.id, withImageNames(sample.turns)];
      return [sample.id, sample.prompt, sample.answer, path.basename(sample.image ?? ''), sample.kind ?? ''];
    }),
  );
}

function withImageNames(turns: readonly Turn[]): unknown[] {
  return turns.map((turn) => ({
    ...turn,
    content: turn.content.map((part) => ('image' in part ? { image: path.basename(part.image) } : part)),
  }));
}

async function hashOfValidation({ questions, everySteps }: NonNullable<FinetuneJob['validation']>): Promise<string> {
  const all = await readJsonLines(questions, validationQuestionSchema);
  return hashValue({ everySteps, questions: all.map((one) => ({ ...one, image: path.basename(one.image ?? '') })) });
}
