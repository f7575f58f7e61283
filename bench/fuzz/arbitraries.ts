/** Inputs: valid ones with something done to them, and what attackers send. */
import fc from 'fast-check';

/** Paths that lead elsewhere, names that objects have already, escapes, and texts that are long or deeply nested. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '../../outside/secret',
    '..',
    '.',
    '',
    '/',
    '/etc/passwd',
    '..\\..\\outside\\secret',
    'C:\\outside',
    'a/../../../outside/secret',
    '../../../../outside/secret',
    '../../../outside',
    'a\0b',
    '.store/run.json',
    'manifest.json',
    'manifest.json/x',
    'folder.json',
    's3://bucket-of-somebody/runs/r',
    'file:///etc/passwd',
    '/proc/self/fd/0',
    '//',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '\u001b]52;c;eA==\u0007',
    '\u202e\u2066',
    '\ud800',
    '<script>alert(1)</script>',
    `$${'{HOME}'}`,
    '%2e%2e%2f',
    '-1',
    '1e999',
    'NaN',
    'null',
    '\r\nset-cookie: x=1',
  ),
  fc
    .constantFrom('a', ' ', '[', '{"a":', '../', '(', '\n', '**', '## ')
    .chain((piece) => fc.constantFrom(10, 300, 5000).map((times) => piece.repeat(times))),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

/** JSON values that are nothing's own: of the wrong kind, too large, or with the names that prototypes have. */
export const hostileJson: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom<unknown>(null, true, [], {}, 0, -1, 0.5, 1e308, -1e308, 2 ** 31, 2 ** 53, [[]], [null], '1'),
  fc
    .constantFrom(
      '{"__proto__":{"polluted":true}}',
      '{"constructor":{"prototype":{"polluted":true}}}',
      '[{"__proto__":[]}]',
      `${'['.repeat(900)}${']'.repeat(900)}`,
      `${'{"a":'.repeat(900)}1${'}'.repeat(900)}`,
    )
    .map((text): unknown => JSON.parse(text)),
  fc.jsonValue({ maxDepth: 3 }),
);

interface Change {
  kind: 'set' | 'remove' | 'name' | 'repeat' | 'swap';
  at: number;
  other: number;
  name: string;
  value: unknown;
}

/** A valid JSON value with one to four of its parts changed, removed, named otherwise, or put elsewhere. */
export function damagedJson(example: unknown): fc.Arbitrary<unknown> {
  const change: fc.Arbitrary<Change> = fc.record({
    kind: fc.constantFrom(
      'set' as const,
      'set' as const,
      'remove' as const,
      'name' as const,
      'repeat' as const,
      'swap' as const,
    ),
    at: fc.nat(10_000),
    other: fc.nat(10_000),
    name: hostileText,
    value: hostileJson,
  });
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc.array(change, { minLength: 1, maxLength: 4 }).map((all) => all.reduce(withChange, example)),
    },
    { weight: 1, arbitrary: hostileJson },
  );
}

/** As the text of a JSON file: now and then with damaged bytes besides. */
export function damagedJsonText(example: unknown): fc.Arbitrary<Buffer> {
  const text = JSON.stringify(example, null, 2);
  return fc.oneof(
    { weight: 5, arbitrary: damagedJson(example).map((value) => Buffer.from(JSON.stringify(value) ?? '')) },
    { weight: 2, arbitrary: damagedBytes(Buffer.from(text)) },
  );
}

/** The same of a file with one JSON value a line. */
export function damagedJsonLines(examples: readonly unknown[]): fc.Arbitrary<Buffer> {
  const linesOf = (value: unknown) =>
    Buffer.from((Array.isArray(value) ? value : [value]).map((line) => `${JSON.stringify(line)}\n`).join(''));
  return fc.oneof(
    { weight: 5, arbitrary: damagedJson(examples).map(linesOf) },
    { weight: 2, arbitrary: damagedBytes(linesOf(examples)) },
  );
}

/** A valid file with a few bytes set, cut out, put in, or a piece of it repeated. */
export function damagedBytes(content: Buffer): fc.Arbitrary<Buffer> {
  const place = fc.nat(Math.max(0, content.length - 1));
  const change = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }) }),
    fc.record({ kind: fc.constant('cut' as const), at: place, bytes: fc.uint8Array({ maxLength: 64 }) }),
    fc.record({ kind: fc.constant('insert' as const), at: place, bytes: fc.uint8Array({ maxLength: 16 }) }),
    fc.record({
      kind: fc.constant('insert' as const),
      at: place,
      bytes: hostileText.map((text): Uint8Array => Buffer.from(text)),
    }),
  );
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) =>
    changes.reduce((current, { kind, at, bytes }) => {
      const rest = kind === 'insert' ? at : at + bytes.length;
      const middle = kind === 'cut' ? Buffer.alloc(0) : Buffer.from(bytes);
      return Buffer.concat([current.subarray(0, at), middle, current.subarray(rest)]);
    }, content),
  );
}

/** Any bytes: noise, JSON, text, and mostly a damaged valid file. */
export function bytesLike(content: Buffer): fc.Arbitrary<Buffer> {
  return fc.oneof(
    { weight: 4, arbitrary: damagedBytes(content) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: hostileJson.map((value) => Buffer.from(JSON.stringify(value))) },
    { weight: 1, arbitrary: hostileText.map((text) => Buffer.from(text)) },
  );
}

/** The value with one change; others of its parts are shared with it. */
function withChange(root: unknown, { kind, at, other, name, value }: Change): unknown {
  const places = placesIn(root);
  const place = places[at % places.length] as Place;
  if (kind === 'set') return withPart(root, place, () => value);
  if (kind === 'swap') {
    const from = partAt(root, places[other % places.length] as Place);
    return withPart(root, place, () => from);
  }
  if (kind === 'repeat')
    return withPart(root, place, (part) => (Array.isArray(part) ? [...part, ...part] : [part, part]));
  const [key] = place.slice(-1);
  if (key === undefined) return kind === 'remove' ? undefined : { [name]: root };
  return withPart(root, place.slice(0, -1), (parent) => {
    if (Array.isArray(parent)) return parent.filter((_, index) => kind !== 'remove' || index !== key);
    const entries = Object.entries(parent as object);
    // Not by assignment: `__proto__` must become a key.
    return Object.fromEntries(
      entries.flatMap(([own, part]) => (own !== key ? [[own, part]] : kind === 'remove' ? [] : [[name, part]])),
    );
  });
}

type Place = readonly (string | number)[];

/** The places of all parts of a value, the value itself first; of a few of its levels. */
function placesIn(value: unknown, depth = 0): Place[] {
  if (typeof value !== 'object' || value === null || depth > 8) return [[]];
  const parts = Array.isArray(value) ? [...value.entries()].slice(0, 20) : Object.entries(value).slice(0, 60);
  return [[], ...parts.flatMap(([key, part]) => placesIn(part, depth + 1).map((rest): Place => [key, ...rest]))];
}

function partAt(value: unknown, [key, ...rest]: Place): unknown {
  if (key === undefined) return value;
  return partAt((value as Record<string, unknown>)[key], rest);
}

function withPart(value: unknown, [key, ...rest]: Place, change: (part: unknown) => unknown): unknown {
  if (key === undefined) return change(value);
  if (Array.isArray(value)) return value.map((part, index) => (index === key ? withPart(part, rest, change) : part));
  const entries = Object.entries(value as object);
  return Object.fromEntries(entries.map(([own, part]) => [own, own === key ? withPart(part, rest, change) : part]));
}
