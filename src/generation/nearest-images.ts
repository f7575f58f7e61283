import type { ImageId } from '../core/images/image-id.ts';
/**
 * Finds the images whose embeddings are closest to a query by cosine. Exact: every image is compared.
 * Images equally close come in their given order.
 *
 * @param input.embeddings row after row, `imageIds.length` rows of `width` numbers; of any length, but not zero
 * @param input.imageIds the image of each row
 * @param input.query an embedding of `width` numbers
 * @param input.count how many images to return; all of them when there are fewer
 * @returns image ids, closest first
 * @throws RangeError when the sizes don't match
 */
export function nearestImages<Id extends ImageId>(input: {
  embeddings: Float32Array;
  width: number;
  imageIds: readonly Id[];
  query: Float32Array;
  count: number;
}): Id[] {
  const { embeddings, width, imageIds, query, count } = input;
  if (embeddings.length !== imageIds.length * width) {
    throw new RangeError(`${imageIds.length} embeddings of ${width} numbers can't have ${embeddings.length} numbers`);
  }
  if (query.length !== width)
    throw new RangeError(`The query has ${query.length} numbers, the embeddings have ${width}`);

  const similarities = new Float64Array(imageIds.length);
  for (let row = 0; row < imageIds.length; row += 1) {
    let product = 0;
    let square = 0;
    const start = row * width;
    for (let column = 0; column < width; column += 1) {
      const value = embeddings[start + column] as number;
      product += value * (query[column] as number);
      square += value * value;
    }
    // The query's own length is the same for all rows, so it does not change their order.
    similarities[row] = square > 0 ? product / Math.sqrt(square) : Number.NEGATIVE_INFINITY;
  }

  const rows = Uint32Array.from(imageIds, (_, row) => row);
  rows.sort((left, right) => (similarities[right] as number) - (similarities[left] as number) || left - right);
  return Array.from(rows.subarray(0, Math.max(0, count)), (row) => imageIds[row] as Id);
}
