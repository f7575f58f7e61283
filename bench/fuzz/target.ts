/** What `npm run fuzz` feeds, and how one target is checked. */
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';

/** A target that is ready for inputs. */
export interface OpenTarget<T> {
  input: fc.Arbitrary<T>;
  /** Returns for every input that is taken or refused as it should be; throws where there is a defect. */
  take(value: T): Promise<void>;
  /** The input in one line, as short as a person needs it. */
  show?(value: T): string;
  close?(): Promise<void>;
}

export interface FuzzTarget {
  name: string;
  /** @param folder an empty one, for this target alone */
  check(folder: string, limits: FuzzLimits): Promise<FuzzOutcome>;
}

export interface FuzzLimits {
  seed: number;
  /** Which input of the seed, as a failure prints it; undefined: all. */
  path?: string | undefined;
  /** How many inputs; undefined: as many as there is time for. */
  runs?: number | undefined;
  milliseconds: number;
  /** Called before each input with its number, counted from 0. */
  onInput: (number: number) => void;
}

export interface FuzzOutcome {
  name: string;
  inputs: number;
  seconds: number;
  failure?: FuzzFailure | undefined;
}

export interface FuzzFailure {
  problem: string;
  input: string;
  /** Runs the same input again. */
  command: string;
}

/** An input that is still worked on after this time hangs. */
const hangMilliseconds = 20_000;
const shownCharacters = 400;

export function fuzzTarget<T>(name: string, open: (folder: string) => Promise<OpenTarget<T>>): FuzzTarget {
  return {
    name,
    async check(folder, { seed, path, runs, milliseconds, onInput }) {
      const { input, take, show = showValue, close } = await open(folder);
      const startedAt = performance.now();
      let number = 0;
      let last: Promise<void> = Promise.resolve();
      const property = fc.asyncProperty(input, async (value) => {
        onInput(number);
        number += 1;
        const before = prototypes();
        last = take(value);
        await last;
        if (prototypes() !== before) throw new Error('a prototype that all objects have was changed');
      });
      try {
        const result = await fc.check(property, {
          seed,
          ...(path !== undefined && { path, endOnFailure: true }),
          numRuns: runs ?? Number.MAX_SAFE_INTEGER,
          interruptAfterTimeLimit: milliseconds,
          timeout: hangMilliseconds,
        });
        const seconds = (performance.now() - startedAt) / 1000;
        const [value] = result.counterexample ?? [];
        const failure = result.failed && {
          problem: problemOf(result.errorInstance),
          input: value === undefined ? 'undefined' : cut(show(value)),
          command: rerunCommand(name, seed, result.counterexamplePath ?? ''),
        };
        return { name, inputs: number, seconds, ...(failure && { failure }) };
      } finally {
        // When the time is over, one is still worked on.
        await Promise.race([last.catch(() => undefined), sleep(hangMilliseconds, undefined, { ref: false })]);
        await close?.();
      }
    },
  };
}

/** @param path of the input, which fast-check gives, or its number */
export function rerunCommand(name: string, seed: number, path: string): string {
  return `npm run fuzz -- --only '${name}' --seed ${seed} --path ${path}`;
}

/** Text as text, other bytes by their codes. */
export function showValue(value: unknown): string {
  if (!(value instanceof Uint8Array)) return fc.stringify(value);
  const text = Buffer.from(value).toString('utf8');
  return text.includes('\uFFFD') ? JSON.stringify(Buffer.from(value).toString('latin1')) : JSON.stringify(text);
}

function cut(text: string): string {
  if (text.length <= shownCharacters) return text;
  const half = shownCharacters / 2;
  return `${text.slice(0, half)} … ${text.length - 2 * half} more … ${text.slice(-half)}`;
}

function problemOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split('\n').find((line) => line.includes('    at ') && !line.includes('/node_modules/'));
  return `${error.name}: ${error.message.split('\n')[0]}${place === undefined ? '' : ` ${place.trim()}`}`;
}

/** The names of everything that all objects, arrays, texts and functions inherit. */
function prototypes(): string {
  return [Object, Array, String, Number, Boolean, Function, Promise, Map, Buffer]
    .map(({ prototype }) => Reflect.ownKeys(prototype).length)
    .join();
}
