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
  await writeRunsPage(file, {
    runs: [
      { run: 'a', settings: settings('adaptive'), rounds: [round(0, 0.5), round(1, 0.625)] },
      { run: 'b & c', settings: settings('uniform'), rounds: [round(0, 0.5)] },
    ],
    unreadable: [{ run: '<old>', problem: 'no config.json' }],
  });
  const html = await readFile(file, 'utf8');
  const cells = [...html.matchAll(/<(?:td|th scope="row")>([^<]*)</g)].map(([, text]) => text);
  expect(cells).toEqual([
    ...['a', 'adaptive', '1', '50.0 %', '62.5 % (52.5 to 72.5)', '–', '50', '1,000', '2 min 0 s'],
    ...['b &amp; c', 'uniform', '0', '50.0 %', '50.0 % (40.0 to 60.0)', '–', '0', '0', '1 min 0 s'],
    ...['&lt;old&gt;', 'no config.json'],
  ]);
  expect(html).toContain('<a href="b%20%26%20c/report.html">b &amp; c</a>');
  expect(html.match(/<svg/g)).toHaveLength(1);
});
