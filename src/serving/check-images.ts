import { imageSize, requireWholeImage } from '../core/images/open-image.ts';
import { InputError } from '../core/input-error.ts';
import { ApiError } from './api-error.ts';
import type { ChatCall } from './chat-request.ts';

/**
 * Checks the images of a request before a model gets any: one that can't be opened must not end what is computed beside it.
 *
 * @param mostPixels of all images of the request together, by what their heads claim
 * @throws ApiError that names the image
 */
export async function checkImages({ images }: Pick<ChatCall, 'images'>, mostPixels: number): Promise<void> {
  let pixels = 0;
  for (const { content, param } of images) {
    const { width, height } = await imageSize(content, {}).catch((error: unknown) => refuse(error, param));
    pixels += width * height;
    if (pixels > mostPixels) {
      const message = `${param}: the images have ${pixels} pixels, and a request may have ${mostPixels}`;
      throw new ApiError({ status: 400, message, param, code: 'image_too_large' });
    }
  }
  for (const { content, param } of images) {
    await requireWholeImage(content).catch((error: unknown) => refuse(error, param));
  }
}

function refuse(error: unknown, param: string): never {
  if (!(error instanceof InputError)) throw error;
  throw new ApiError({ status: 400, message: `${param}: ${error.problem}`, param, code: 'invalid_image' });
}
