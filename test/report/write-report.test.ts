import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { ReportBadCase, ReportInput, ReportRound } from '../../report/report-input.ts';
import { writeReport } from '../../report/write-report.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const baseRound: ReportRound = {
  round: 0,
  validation: { mc: 0.4125, da: 0.3, errorByType: { 'count <objects>': 0.75, color: 0.25 } },
  test: { mc: 0.437, da: 0.281 },
  benchmarks: [],
  weights: {},
  sampledByType: {},
  samplesAdded: 0,
  rejectedByReason: {},
  rejectedExamples: [],
  teacherTokens: 0,
  seconds: 95,
  lossCurve: [
    { step: 1, loss: 2.5 },
    { step: 2, loss: 1.5 },
  ],
};

const dataRound: ReportRound = {
  ...baseRound,
  round: 1,
  validation: { mc: 0.512, da: 0.333, errorByType: { 'count <objects>': 0.5, color: 0.2 } },
  test: undefined,
  weights: { 'count <objects>': 3, color: 1 },
  sampledByType: { 'count <objects>': 30, color: 10 },
  samplesAdded: 1234,
  rejectedByReason: { duplicate: 4, 'bad choices': 3 },
  rejectedExamples: [{ reason: 'bad choices', detail: 'five', raw: 'Question: What is <i>this</i>?' }],
  teacherTokens: 56789,
  seconds: 7205,
};

const badCase: ReportBadCase = {
  round: 1,
  picture: 'nowhere.jpg',
  questionType: 'color',
  question: 'What color is <script>alert("x")</script> & co?',
  choices: ['red', '<b>blue</b>', 'green', 'black'],
  chosen: 0,
  correct: 1,
};

async function written(input: Partial<ReportInput>): Promise<string> {
  const output = join(await temporaryFolder(), 'report.html');
  const empty: ReportInput = { run: 'demo', configSummary: [], rounds: [], badCases: [], generated: [] };
  await writeReport({ ...empty, ...input, output });
  return readFile(output, 'utf8');
}

describe('the report', () => {
  test('tells the figures of each round', async () => {
    const html = await written({ rounds: [baseRound, dataRound], configSummary: [{ label: 'Seed', value: '17' }] });
    const cells = [...html.matchAll(/<(?:td|th scope="row")>([^<]*)</g)].map(([, text]) => text);
    expect(cells.slice(0, 20)).toEqual([
      ...['Seed', '17'],
      ...['0', '41.3 %', '30.0 %', '43.7 %', '28.1 %', '0', '0', '0', '1 min 35 s'],
      ...['1', '51.2 %', '33.3 %', '–', '–', '1,234', '7', '56,789', '2 h 0 min'],
    ]);
    expect(cells.slice(20)).toEqual(['bad choices', '3', '3', 'duplicate', '4', '4']);
  });

  test('shows examples of what was rejected', async () => {
    const html = await written({ rounds: [baseRound, dataRound] });
    expect(html).toContain('<summary>Examples of round 1</summary>');
    expect(html).toContain('<dt>bad choices: five</dt><dd><pre>Question: What is &lt;i&gt;this&lt;/i&gt;?</pre></dd>');
  });

  test('draws accuracy, loss, error by type and the sampling of each data round', async () => {
    const html = await written({ rounds: [baseRound, dataRound] });
    expect(html.match(/<svg/g)).toHaveLength(4);
    expect(html).toContain('>count &lt;objects&gt;</text>');
    expect(html).toContain('>75%</text>');
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('escapes every text and marks the correct choice and the answer of the model', async () => {
    const html = await written({ run: '<i>run</i>', badCases: [badCase] });
    expect(html).not.toMatch(/<script|<b>|<i>/);
    expect(html).toContain('What color is &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co?');
    expect(html).toContain('<li class="correct">&lt;b&gt;blue&lt;/b&gt; <span>✓ correct</span></li>');
    expect(html).toContain('<li class="chosen">red <span>✗ model’s answer</span></li>');
  });

  test('carries small pictures inside, and a gray box for one that cannot be read', async () => {
    const folder = await temporaryFolder();
    const [large, broken] = [join(folder, 'large.png'), join(folder, 'broken.jpg')];
    await sharp({ create: { width: 800, height: 400, channels: 3, background: 'teal' } }).toFile(large);
    await writeFile(broken, 'no picture');
    const sample = { ...badCase, question: 'Which?', rationale: 'Because <it> is.' };
    const html = await written({
      generated: [large, broken, join(folder, 'missing.jpg')].map((picture) => ({ ...sample, picture })),
    });
    const pictures = [...html.matchAll(/<img src="data:image\/jpeg;base64,([^"]*)"/g)];
    expect(pictures).toHaveLength(1);
    const inlined = await sharp(Buffer.from(pictures[0]?.[1] ?? '', 'base64')).metadata();
    expect([inlined.format, inlined.width, inlined.height]).toEqual(['jpeg', 160, 80]);
    expect(html.match(/class="no-picture"/g)).toHaveLength(2);
    expect(html).toContain('Because &lt;it&gt; is.');
  });

  test('needs nothing from outside the file', async () => {
    const html = await written({ rounds: [baseRound, dataRound], badCases: [badCase], generated: [badCase] });
    expect(html).not.toMatch(/https?:\/\/|<link|<script|@import|url\((?!#)/);
    expect(html).toContain('prefers-color-scheme: dark');
  });

  test('shows a part of many bad cases, with each question type among them', async () => {
    const many = Array.from({ length: 100 }, (_, index) => ({ ...badCase, question: `Question ${index}?` }));
    const html = await written({ badCases: [...many, { ...badCase, questionType: 'rare type' }] });
    expect(html).toContain('24 of 101');
    expect(html.match(/<article>/g)).toHaveLength(24);
    expect(html).toContain('rare type');
  });

  test('is written for a run without finished rounds, and leaves no temporary file', async () => {
    const folder = await temporaryFolder();
    const output = join(folder, 'report.html');
    await writeReport({ run: 'demo', configSummary: [], rounds: [], badCases: [], generated: [], output });
    expect(await readFile(output, 'utf8')).toContain('</html>');
    expect(await readdir(folder)).toEqual(['report.html']);
  });
});
