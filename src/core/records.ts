/**
 * Records whose keys are data, such as the names of question types. An ordinary object has properties before any is set:
 * `counts['constructor']` is a function, and setting `counts['__proto__']` changes what all later lookups find.
 */

/** A record without any property, to which any name can be added. */
export function emptyRecord<V>(): Record<string, V> {
  return Object.create(null);
}

/** The value under a key of a record that may be an ordinary object; undefined when it has none of its own. */
export function valueIn<V>(record: Readonly<Record<string, V>> | undefined, key: string): V | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

/** How many items have each key, in the order in which the keys come up. */
export function countBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Record<string, number> {
  const counts = emptyRecord<number>();
  for (const item of items) {
    const key = keyOf(item);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
