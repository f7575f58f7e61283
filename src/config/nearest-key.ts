import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { fieldPath } from '../core/field-path.ts';

type SchemaNode = z.core.JSONSchema.BaseSchema;

/**
 * The known key that a person most likely meant: one of the same name elsewhere in the config, or else the
 * one at the same place that differs in the fewest letters. Given as a path from the top.
 */
export function nearestKey(schema: SchemaNode, place: readonly PropertyKey[], unknown: string): string | undefined {
  const elsewhere = allPaths(schema).find((keys) => sameWord(String(keys.at(-1)), unknown));
  const siblings = Object.keys(nodeAt(schema, place)?.properties ?? {});
  const sibling = siblings
    .map((key) => ({ key, cost: distance(key.toLowerCase(), unknown.toLowerCase()) }))
    .sort((left, right) => left.cost - right.cost)[0];
  if (sibling && (sibling.cost <= Math.max(1, unknown.length / 3) || !elsewhere)) {
    return fieldPath([...place, sibling.key]);
  }
  return elsewhere && fieldPath(elsewhere);
}

// batch_size, batch-size and batchSize are the same word.
function sameWord(left: string, right: string): boolean {
  const plain = (text: string) => text.replace(/[_-]/g, '').toLowerCase();
  return plain(left) === plain(right);
}

function nodeAt(schema: SchemaNode, keys: readonly PropertyKey[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const key of keys) node = childOf(node, key);
  return node;
}

function childOf(node: SchemaNode | undefined, key: PropertyKey): SchemaNode | undefined {
  const child = typeof key === 'number' ? node?.items : node?.properties?.[String(key)];
  return typeof child === 'object' && !Array.isArray(child) ? child : undefined;
}

function allPaths(node: SchemaNode, place: PropertyKey[] = []): PropertyKey[][] {
  return Object.keys(node.properties ?? {}).flatMap((key) => {
    const child = childOf(node, key);
    return [[...place, key], ...(child ? allPaths(child, [...place, key]) : [])];
  });
}
