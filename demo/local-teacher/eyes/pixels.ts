/** Plain operations on images as rows of floats, the channels of a pixel side by side. */

/** The mean of each two by two pixels. Width and height must be even. */
export function halved(image: Float32Array, width: number, height: number, channels: number): Float32Array {
  const to = new Float32Array(image.length / 4);
  const row = width * channels;
  for (let y = 0, at = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      for (let channel = 0; channel < channels; channel += 1, at += 1) {
        const from = y * row + x * channels + channel;
        const upper = (image[from] as number) + (image[from + channels] as number);
        const lower = (image[from + row] as number) + (image[from + row + channels] as number);
        to[at] = (upper + lower) / 4;
      }
    }
  }
  return to;
}

/**
 * How much two RGB images differ: the mean, over the share of the pixels that differ least, of the largest difference of a
 * pixel's channels. With half of the pixels, what covers less than half of an image doesn't count.
 */
export function difference(left: Float32Array, right: Float32Array, factor: number, share: number): number {
  const all = new Float32Array(left.length / 3);
  for (let pixel = 0; pixel < all.length; pixel += 1) {
    for (let at = 3 * pixel; at < 3 * pixel + 3; at += 1) {
      const distance = Math.abs((left[at] as number) - factor * (right[at] as number));
      if (distance > (all[pixel] as number)) all[pixel] = distance;
    }
  }
  const counted = all.sort().subarray(0, Math.ceil(share * all.length));
  return counted.reduce((sum, distance) => sum + distance, 0) / counted.length;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[sorted.length >> 1] ?? 0;
}
