import { type ClipVisionConfig, readClipConfig } from './clip-config.ts';
import { clipTensors } from './clip-tensors.ts';
import { openTensors, type TensorDirectory } from './tensor-directory.ts';

/** An open CLIP directory: what it takes to embed images. */
export interface ClipDirectory extends TensorDirectory {
  config: ClipVisionConfig;
}

const notForImages = [/^text_model\./, /^text_projection\./, /^logit_scale$/, /\.position_ids$/];

/**
 * Opens CLIP as `CLIPModel` or `CLIPVisionModelWithProjection` of transformers saves it. The text side, if
 * there, is left alone.
 *
 * @throws InputError naming the file and the setting or tensor that is missing or not as expected
 */
export async function readClipDirectory(directory: string): Promise<ClipDirectory> {
  const config = await readClipConfig(directory);
  const tensors = await openTensors(directory, { shapes: clipTensors(config), ignored: notForImages });
  return { ...tensors, config };
}
