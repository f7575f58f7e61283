import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ReportRound } from '../../src/report/report-input.ts';
import { writeRunsPage } from '../../src/report/runs-page.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { emptyRound } from './empty-round.ts';

const round = (number: number, mc: number): ReportRound => ({
  ...emptyRound,
  round: number,
  validation: { mc, da: mc, errorByType: {} },
  benchmarks: [
    {
      set: 'validation',
      title: 'A-OKVQA',
      measure: 'multipleChoice',
      value: mc,
      low: mc - 0.1,
      high: mc + 0.1,
      count: 9,
      unanswered: 0,
      groups: {},
    },
  ],
  samplesAdded: number * 50,
  teacherTokens: number * 1000,
  secondsByStep: { finetune: 60 },
});

test('runs stand beside each other with links to their reports; one that cannot be read is named', async () => {
  const file = join(await temporaryFolder(), 'report.html');
  const settings = (sampling: string) => [{ label: 'Sampling', value: sampling }];
  const stopped = { state: 'stopped' as const, text: 'round 1 of 1, in <finetune>' };
  await writeRunsPage(file, {
    runs: [
      {
        run: 'a',
        status: { state: 'finished', text: '1 of 1 rounds' },
        settings: settings('adaptive'),
        rounds: [round(0, 0.5), round(1, 0.625)],
      },
      { run: 'b & c', status: stopped, settings: settings('uniform'), rounds: [round(0, 0.5)] },
      {
        run: 'new',
        status: { state: 'under way', text: 'round 0 of 1, in finetune' },
        settings: settings('uniform'),
        rounds: [],
      },
    ],
    unreadable: [{ run: '<old>', problem: 'no config.json' }],
  });
  const html = await readFile(file, 'utf8');
  expect(cellsOf(html)).toEqual([
    ...['a', 'finished: 1 of 1 rounds', 'adaptive', '50.0 %', '62.5 % (52.5 to 72.5)', '–', '50', '1,000', '2 min 0 s'],
    ...['b &amp; c', 'stopped: round 1 of 1, in &lt;finetune&gt;', 'uniform', '50.0 %', '50.0 % (40.0 to 60.0)'],
    ...['–', '0', '0', '1 min 0 s'],
    ...['new', 'under way: round 0 of 1, in finetune', 'uniform', '–', '–', '–', '0', '0', '0 s'],
    ...['&lt;old&gt;', 'no config.json'],
  ]);
  expect(html).toContain('<a href="b%20%26%20c/report.html">b &amp; c</a>');
  expect(html).not.toContain('new/report.html');
});

test('of forty runs no two have the same line', async () => {
  const file = join(await temporaryFolder(), 'report.html');
  const runs = Array.from({ length: 40 }, (_, index) => ({
    run: `run-${index}`,
    status: { state: 'finished' as const, text: '' },
    settings: [],
    rounds: [round(0, 0.4), round(1, 0.4 + index / 100)],
  }));
  await writeRunsPage(file, { runs, unreadable: [] });
  const html = await readFile(file, 'utf8');
  const signs = [...html.matchAll(/<svg class="sign".*?<\/svg>/g)].map(([sign]) => sign);
  expect(new Set(signs).size).toBe(40);
  // The lines of the chart are those signs.
  const chart = html.slice(html.indexOf('<div class="wide">'), html.indexOf('<div class="narrow">'));
  const lines = [...chart.matchAll(/<path[^>]*?stroke="(#[0-9a-f]{6})"[^>]*?stroke-dasharray="([^"]*)"/g)].map(
    ([, color, dash]) => `${color} ${dash?.replaceAll(',', ' ')}`,
  );
  const signed = signs.map((sign) => {
    const [, color, dash] = /stroke="(#[0-9a-f]{6})".*?stroke-dasharray="([^"]*)"/.exec(sign) ?? [];
    return `${color} ${dash}`;
  });
  expect(new Set(lines).size).toBe(40);
  expect(new Set(lines)).toEqual(new Set(signed));
});

/** The texts of the cells of all tables. */
function cellsOf(html: string): string[] {
  return [...html.matchAll(/<(?:td|th scope="row")[^>]*>(.*?)<\/t[dh]>/g)].map(([, cell = '']) =>
    cell.replace(/<[^>]*>/g, ''),
  );
}
