/**
 * The state that an execution hands to the next one of its workflow, when it continues as new. Runs outlive the workers
 * that started them, so a state has a version, and those of older versions are migrated when they are read. What each
 * version wrote is recorded in `test/workflows/carried-states/`.
 */
import { z } from 'zod';

/** Turns a state that a version wrote, unchecked still, into one of the next version. */
export type Migration = (state: Record<string, unknown>) => Record<string, unknown>;

export interface CarriedState<S extends z.ZodObject> {
  /** Parses a state of any known version; the output has no version. */
  schema: z.ZodPreprocess<S>;
  /** The state as the next execution is given it. */
  carried(state: z.output<S>): z.output<S> & { version: number };
}

/**
 * @param fields of the newest version
 * @param migrations from each version to the next; the first is from version 1, which had no number
 */
export function defineCarriedState<S extends z.ZodObject>(
  fields: S,
  migrations: readonly Migration[],
): CarriedState<S> {
  const newest = migrations.length + 1;
  const schema = z.preprocess((given, context) => {
    if (!isRecord(given)) return given;
    const { version = 1, ...state } = given;
    if (typeof version === 'number' && Number.isInteger(version) && version >= 1 && version <= newest) {
      return migrations.slice(version - 1).reduce((current, migrate) => migrate(current), state);
    }
    context.addIssue({
      code: 'custom',
      path: ['version'],
      message:
        `${JSON.stringify(version).slice(0, 50)} is unknown to this worker, which continues from the versions 1 to ` +
        `${newest}. Let a newer worker continue it`,
    });
    return z.NEVER;
  }, fields);
  return { schema, carried: (state) => ({ ...state, version: newest }) };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
