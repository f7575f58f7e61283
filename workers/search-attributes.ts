/**
 * The search attributes by which runs are found in Temporal's UI, made known to a namespace. They hold no secrets: names
 * and numbers only.
 */
import type { NativeConnection } from '@temporalio/worker';

// Temporal's own numbers of these types (`temporal.api.enums.v1.IndexedValueType`).
const types = { KEYWORD: 2, INT: 3, DOUBLE: 4 } as const;

/** Name → type; `workflows/search-attributes.ts` sets them. */
export const searchAttributeTypes = {
  DataEngineRun: types.KEYWORD,
  DataEngineRound: types.INT,
  DataEngineStep: types.KEYWORD,
  DataEngineState: types.KEYWORD,
  DataEngineBestScore: types.DOUBLE,
} as const;

type Services = Pick<NativeConnection, 'operatorService'>;

/** Whether all are known. A namespace that can't be asked counts as one that does not know them. */
export async function knowsSearchAttributes({ operatorService }: Services, namespace: string): Promise<boolean> {
  try {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return Object.entries(searchAttributeTypes).every(([name, type]) => customAttributes?.[name] === type);
  } catch {
    return false;
  }
}

/**
 * Makes those known that are not yet.
 *
 * @throws the server's error: Temporal Cloud takes them through its own console or `tcld` only
 */
export async function registerSearchAttributes(services: Services, namespace: string): Promise<string[]> {
  const { customAttributes } = await services.operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(searchAttributeTypes).filter(([name]) => !(name in (customAttributes ?? {})));
  if (missing.length > 0) {
    await services.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing) });
  }
  return missing.map(([name]) => name);
}
