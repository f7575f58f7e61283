/** The board and the alert rules name metrics that the program has, in expressions that are whole. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const rule = z.strictObject({
  alert: z.string().regex(/^DataEngine[A-Za-z]+$/),
  expr: z.string(),
  for: z
    .string()
    .regex(/^\d+[smh]$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
  annotations: z.strictObject({ summary: z.string(), description: z.string() }),
});
const rulesSchema = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule).min(5) })),
});
const boardSchema = z.looseObject({
  panels: z.array(
    z.looseObject({
      id: z.number(),
      title: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.looseObject({ expr: z.string() })).default([]),
    }),
  ),
});

const rules = rulesSchema
  .parse(parse(await readFile('deploy/monitoring/alerts.yaml', 'utf8')))
  .groups.flatMap((group) => group.rules);
const board = boardSchema.parse(JSON.parse(await readFile('deploy/monitoring/grafana-dashboard.json', 'utf8')));
const expressions = [
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
  ...board.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
];

/** Name → kind, as the code makes them. */
async function ownMetrics(): Promise<Map<string, string>> {
  const files = [
    'activities/metrics.ts',
    'workers/gpu-memory.ts',
    'workflows/message-handlers.ts',
    'src/serving/chat-server.ts',
  ];
  const source = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
  const made = source.matchAll(
    /\.(createHistogram|createGauge|createCounter|count|set|observe)\(\s*'(dataengine_\w+)'/g,
  );
  return new Map([...made].map(([, kind = '', name = '']) => [name, kind]));
}

/** The program of the SDK holds the names of its metrics, without their prefix. */
async function sdkProgram(): Promise<Buffer> {
  const releases = 'node_modules/@temporalio/core-bridge/releases';
  const [platform = ''] = await readdir(releases);
  return readFile(join(releases, platform, 'index.node'));
}

const functions = new Set([
  'sum',
  'rate',
  'increase',
  'histogram_quantile',
  'by',
  'and',
  'or',
  'unless',
  'max',
  'min',
  'avg',
  'absent',
]);
const ofHistograms = /_(bucket|sum|count)$/;

/** The metrics of an expression, with the labels that select them. @throws Error for what is not whole */
function parseExpression(text: string): { metrics: string[]; labels: string[] } {
  const metrics: string[] = [];
  const labels: string[] = [];
  const open: string[] = [];
  let rest = text;
  const take = (pattern: RegExp): string | undefined => {
    const found = pattern.exec(rest)?.[0];
    if (found !== undefined) rest = rest.slice(found.length);
    return found;
  };
  while (rest !== '') {
    if (take(/^\s+/)) continue;
    const grouped = take(/^by\s*\([\w\s,]*\)/);
    if (grouped !== undefined) {
      labels.push(...(grouped.slice(2).match(/\w+/g) ?? []));
      continue;
    }
    const name = take(/^[a-z_:][\w:]*/i);
    if (name !== undefined) {
      if (functions.has(name)) continue;
      metrics.push(name);
      const selector = take(/^\{[^{}]*\}/);
      for (const [, label = ''] of selector?.matchAll(/(\w+)(?:=~|!~|!=|=)"[^"]*"/g) ?? []) labels.push(label);
      if (selector !== undefined && !/^\{(\w+(?:=~|!~|!=|=)"[^"]*",?)*\}$/.test(selector))
        throw new Error(`selector ${selector}`);
      take(/^\[\d+[smhd]\]/);
      continue;
    }
    const mark = take(/^(?:\d+(?:\.\d+)?(?:e\d+)?|[<>=!]=|[-+*/<>(),])/);
    if (mark === undefined) throw new Error(`can't be read from "${rest}" on`);
    if (mark === '(') open.push(mark);
    if (mark === ')' && open.pop() === undefined) throw new Error(`a bracket is closed that was not opened`);
  }
  if (open.length > 0) throw new Error('a bracket is not closed');
  return { metrics, labels };
}

describe('an expression', () => {
  test('that is not whole is noticed', () => {
    expect(() => parseExpression('sum(rate(a[5m])')).toThrow('a bracket is not closed');
    expect(() => parseExpression('a{b=c}')).toThrow('selector {b=c}');
    expect(() => parseExpression('a ? b')).toThrow("can't be read");
    expect(parseExpression('sum by (x) (rate(a_total{y=~"z"}[5m])) / 1e6')).toEqual({
      metrics: ['a_total'],
      labels: ['x', 'y'],
    });
  });

  test.each(expressions)('of %s names metrics that are there: %s', async (_, expression) => {
    const [own, sdk] = [await ownMetrics(), await sdkProgram()];
    const { metrics } = parseExpression(expression);
    expect(metrics.length).toBeGreaterThan(0);
    for (const metric of metrics) {
      if (metric === 'up') continue;
      if (metric.startsWith('temporal_')) {
        expect(sdk.includes(metric.slice('temporal_'.length).replace(ofHistograms, '')), metric).toBe(true);
        continue;
      }
      const kind = own.get(metric) ?? own.get(metric.replace(ofHistograms, ''));
      expect(kind, metric).toBeDefined();
      // Only a histogram has buckets, a sum and a count.
      expect(own.has(metric) || ['createHistogram', 'observe'].includes(kind ?? ''), metric).toBe(true);
    }
  });
});

test('every metric of ours is on the board', async () => {
  const shown = expressions.flatMap(([, expression]) => parseExpression(expression).metrics);
  const names = new Set(shown.flatMap((name) => [name, name.replace(ofHistograms, '')]));
  const notShown = [...(await ownMetrics()).keys()].filter((name) => !names.has(name));
  // Rates of tokens are for those who tune a server.
  expect(notShown.filter((name) => !name.endsWith('_tokens_total'))).toEqual([]);
});

test('the page has every alert', async () => {
  const page = await readFile('docs/monitoring.md', 'utf8');
  const listed = [...page.matchAll(/^\| (DataEngine\w+) \|/gm)].map(([, name]) => name);
  expect(listed).toEqual(rules.map(({ alert }) => alert));
});

test('panels do not overlap, and have ids of their own', () => {
  expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
  const cells = board.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});
