/** The text before the first of the stop strings in it; undefined when it has none. */
export function textBeforeStop(text: string, stopStrings: readonly string[]): string | undefined {
  const places = stopStrings.map((stop) => text.indexOf(stop)).filter((place) => place >= 0);
  return places.length === 0 ? undefined : text.slice(0, Math.min(...places));
}
