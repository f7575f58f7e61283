/** The embed job: one vector an image, for finding the images nearest to another. */
import path from 'node:path';
import { z } from 'zod';
import { readJson, readSettings } from '../../../core/read-json.ts';
import { clipImageEmbeddings } from '../../../model/clip-vision.ts';
import { familyOf } from '../../../model/families/index.ts';
import { readClipDirectory } from '../../../model/files/clip.ts';
import { readModelDirectory } from '../../../model/files/model-directory.ts';
import { writeSafetensors } from '../../../model/files/safetensors.ts';
import type { TensorDirectory } from '../../../model/files/tensor-directory.ts';
import type { Tape, Variable, Weights } from '../../../model/ops/tape.ts';
import type { Value } from '../../../model/ops/value.ts';
import type { EmbedJob, JobOutcome, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { runVision } from '../vision/image-features.ts';

/**
 * Embeds images: with CLIP its image embeddings; with a multimodal model the mean over what its vision side
 * sees (the Q-Former's queries, or the patches), which images of like content share.
 *
 * @throws InputError for images or a model that can't be used
 */
export async function embed(settings: SettingsOf<EmbedJob>, reporter: JobReporter): Promise<JobOutcome> {
  const files =
    typeof settings.images === 'string' ? await readJson(settings.images, z.array(z.string())) : settings.images;
  const { tensors, imageSize, trace } = await openEmbedder(settings.model);
  try {
    let width = 0;
    const traceRows = (tape: Tape, weights: Weights, pixels: Value) => {
      const rows = trace(tape, weights, pixels);
      width = rows.value.shape[1] as number;
      return rows;
    };
    const rows = await runVision(
      tensors,
      files,
      { imageSize, trace: traceRows },
      {
        exif: settings.exif,
        signal: reporter.signal,
        onProgress: (done, total) => reporter.progress({ step: done, steps: total }),
      },
    );
    const data = new Float32Array(files.length * width);
    rows.forEach((row, index) => data.set(unitMean(row, width), index * width));
    reporter.requireFence();
    await writeSafetensors(settings.output, [{ name: 'embeddings', shape: [files.length, width], data }]);
    return { outputs: [settings.output], metrics: { images: files.length } };
  } finally {
    await tensors.close();
  }
}

interface Embedder {
  tensors: TensorDirectory;
  imageSize: number;
  /** Rows `[batch * n, width]` whose mean is an image's vector. */
  trace: (tape: Tape, weights: Weights, pixels: Value) => Variable;
}

async function openEmbedder(directory: string): Promise<Embedder> {
  const kind = await readSettings(path.join(directory, 'config.json'), z.looseObject({ model_type: z.string() }));
  if (kind.model_type.startsWith('clip')) {
    const clip = await readClipDirectory(directory);
    return {
      tensors: clip,
      imageSize: clip.config.image_size,
      trace: (tape, weights, pixels) => clipImageEmbeddings(tape, weights, clip.config, pixels),
    };
  }
  const model = await readModelDirectory(directory);
  const { imageSize, visionFeatures } = familyOf(model.config);
  return { tensors: model, imageSize, trace: visionFeatures };
}

/** Mean of the rows `[n, width]`, scaled to length one. */
function unitMean(rows: Float32Array, width: number): Float32Array {
  const mean = new Float32Array(width);
  rows.forEach((value, index) => {
    const column = index % width;
    mean[column] = (mean[column] as number) + value;
  });
  const length = Math.hypot(...mean) || 1;
  return mean.map((value) => value / length);
}
