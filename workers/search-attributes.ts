/**
 * Registers the search attributes by which runs are found in a namespace. They hold no secrets: names and numbers only.
 */
import type { NativeConnection } from '@temporalio/worker';
import { searchAttributeKeys } from '../workflows/search-attributes.ts';

/** Temporal's own numbers of these types (`temporal.api.enums.v1.IndexedValueType`). */
const indexedValueTypes = { KEYWORD: 2, INT: 3, DOUBLE: 4 } as const;

const attributes = Object.values(searchAttributeKeys).map(({ name, type }) => ({
  name,
  type: indexedValueTypes[type],
}));

type Services = Pick<NativeConnection, 'operatorService'>;

/** Whether all are registered. A namespace that can't be asked counts as one where they are not. */
export async function knowsSearchAttributes({ operatorService }: Services, namespace: string): Promise<boolean> {
  try {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return attributes.every(({ name, type }) => customAttributes?.[name] === type);
  } catch {
    return false;
  }
}

/**
 * Registers those that are missing, and returns their names.
 *
 * @throws the server's error: Temporal Cloud takes them through its own console or `tcld` only
 */
export async function registerSearchAttributes(services: Services, namespace: string): Promise<string[]> {
  const { customAttributes } = await services.operatorService.listSearchAttributes({ namespace });
  const missing = attributes.filter(({ name }) => !(name in (customAttributes ?? {})));
  if (missing.length > 0) {
    const searchAttributes = Object.fromEntries(missing.map(({ name, type }) => [name, type]));
    await services.operatorService.addSearchAttributes({ namespace, searchAttributes });
  }
  return missing.map(({ name }) => name);
}
