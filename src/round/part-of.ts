/**
 * The items of one of several parts. Neighbours stay together: questions about one image, whose features are then
 * computed once. The sizes of parts differ by one at most.
 */
export function partOf<T>(all: readonly T[], part: number, count: number): T[] {
  return all.slice(Math.floor((part * all.length) / count), Math.floor(((part + 1) * all.length) / count));
}
