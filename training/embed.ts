/** The embed job: one vector a picture, for finding the pictures nearest to another. */
import { z } from 'zod';
import { readModelDirectory } from '../model/files/model-directory.ts';
import { writeSafetensors } from '../model/files/safetensors.ts';
import { queryTransformer } from '../model/query-transformer.ts';
import { visionEncoder } from '../model/vision-encoder.ts';
import { readJson } from '../store/read-json.ts';
import { runVision } from './picture-features.ts';
import type { JobOutcome, JobReporter } from './report-progress.ts';

export interface EmbedSettings {
  model: string;
  /** Picture files, or a file that holds a JSON list of them. */
  pictures: string | string[];
  /** safetensors: `embeddings` `[pictures, hidden]`, each of length one, in the order of the list. */
  output: string;
}

/**
 * Embeds pictures: the mean over the Q-Former's queries, which pictures of like content share.
 *
 * @throws InputError for pictures or a model that can't be used
 */
export async function embed(settings: EmbedSettings, reporter: JobReporter): Promise<JobOutcome> {
  const files =
    typeof settings.pictures === 'string' ? await readJson(settings.pictures, z.array(z.string())) : settings.pictures;
  const model = await readModelDirectory(settings.model);
  try {
    const { config } = model;
    const rows = await runVision(
      model,
      files,
      (tape, weights, pixels) => {
        const seen = visionEncoder(tape, weights, config, pixels);
        return queryTransformer(tape, weights, config, seen, pixels.shape[0] as number);
      },
      {
        signal: reporter.signal,
        onProgress: (done, total) => reporter.progress({ step: done, steps: total }),
      },
    );
    const hidden = config.qformer_config.hidden_size;
    const data = new Float32Array(files.length * hidden);
    rows.forEach((row, index) => data.set(unitMean(row, hidden), index * hidden));
    await writeSafetensors(settings.output, [{ name: 'embeddings', shape: [files.length, hidden], data }]);
    return { outputs: [settings.output], metrics: { pictures: files.length } };
  } finally {
    await model.close();
  }
}

/** Mean of the rows `[queries, hidden]`, scaled to length one. */
function unitMean(rows: Float32Array, hidden: number): Float32Array {
  const mean = new Float32Array(hidden);
  rows.forEach((value, index) => {
    const column = index % hidden;
    mean[column] = (mean[column] as number) + value;
  });
  const length = Math.hypot(...mean) || 1;
  return mean.map((value) => value / length);
}
