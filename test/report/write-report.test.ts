import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type {
  ReportBadCase,
  ReportGeneratedSample,
  ReportInput,
  ReportLineage,
  ReportRound,
} from '../../src/report/report-input.ts';
import { writeReport } from '../../src/report/write-report.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { emptyRound } from './empty-round.ts';
import { sampleReport } from './sample-report.ts';

const baseRound: ReportRound = {
  ...emptyRound,
  validation: { mc: 0.4125, da: 0.3, errorByType: { 'count <objects>': 0.75, color: 0.25 } },
  test: { mc: 0.437, da: 0.281 },
  secondsByStep: { finetune: 80, merge: 15 },
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
  teacherTokens: 56789,
  cost: { amount: 1.5, currency: 'USD' },
  secondsByStep: { generate: 5, finetune: 7200 },
};

const badCase: ReportBadCase = {
  image: 'nowhere.jpg',
  questionType: 'color',
  question: 'What color is <script>alert("x")</script> & co?',
  choices: ['red', '<b>blue</b>', 'green', 'black'],
  correct: 1,
  chosen: [0, 0],
};

const sample: ReportGeneratedSample = { ...badCase, round: 1 };

const lineage: ReportLineage = {
  nodes: [
    { id: 'model', kind: 'base model', details: ['<b>'] },
    ...[0, 1].map((round) => ({ id: `adapter-${round}`, kind: 'adapter', details: [`loss ${round}`], round })),
  ],
  edges: [{ from: 'model', to: 'adapter-0' }],
};

const empty: ReportInput = {
  run: 'demo',
  configSummary: [],
  rounds: [],
  badCases: [],
  generated: [],
  rejected: [],
  lineage: { nodes: [], edges: [] },
};

async function written(input: Partial<ReportInput>): Promise<string> {
  const output = join(await temporaryFolder(), 'report.html');
  await writeReport({ ...empty, ...input, output });
  return readFile(output, 'utf8');
}

/** The texts of the cells of all tables. */
function cellsOf(html: string): string[] {
  return [...html.matchAll(/<(?:td|th scope="row")[^>]*>(.*?)<\/t[dh]>/g)].map(([, cell = '']) =>
    cell.replace(/<[^>]*>/g, ''),
  );
}

function sectionOf(html: string, name: string): string {
  const start = html.indexOf(`<section id="section-${name}"`);
  return html.slice(start, html.indexOf('</section>', start));
}

describe('the report of a run that goes on night after night', () => {
  const nights = (count: number): Partial<ReportInput> => ({
    rounds: Array.from({ length: count }, (_, round) => ({ ...dataRound, round })),
    generated: Array.from({ length: count }, (_, round) => ({
      ...sample,
      round,
      question: `Asked in night ${round}?`,
    })),
    rejected: Array.from({ length: count }, (_, round) => ({
      ...{ round, image: 'nowhere.jpg', reason: 'duplicate', detail: 'the same' },
      raw: `rejected in night ${round}.`,
    })),
    badCases: [{ ...badCase, chosen: Array.from({ length: count }, () => 0) }],
  });

  test('shows the samples of the last ten rounds, and their answers, however many there are', async () => {
    const html = await written(nights(25));
    const samples = sectionOf(html, 'samples');
    const lastTen = Array.from({ length: 10 }, (_, place) => String(15 + place));
    const numbersIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, night]) => night);
    expect(numbersIn(samples, /Asked in night (\d+)/g)).toEqual(lastTen);
    expect(numbersIn(samples, /rejected in night (\d+)/g)).toEqual(lastTen);
    expect(numbersIn(sectionOf(html, 'bad-cases'), /<span class="chosen">(\d+): \(A\)/g)).toEqual(lastTen);
    expect(samples).toContain('Of the last 10 rounds.');
    expect(await written(nights(10))).not.toContain('Of the last 10 rounds.');
  });
});

describe('the report', () => {
  test('has the figures of each round', async () => {
    const html = await written({ rounds: [baseRound, dataRound] });
    expect(cellsOf(sectionOf(html, 'time-and-cost'))).toEqual([
      ...['0', '41.3 %', '30.0 %', '43.7 %', '28.1 %', '–', '0', '0', '0', '–', '1 min 35 s'],
      ...['1', '51.2 %', '33.3 %', '–', '–', '–', '1,234', '7', '56,789', '1.50 USD', '2 h 0 min'],
    ]);
    expect(cellsOf(sectionOf(html, 'samples'))).toEqual(['bad choices', '3', '3', 'duplicate', '4', '4']);
  });

  test('a round that ended the run without a model has its costs, and is in the sums and the findings', async () => {
    const ended = {
      round: 2,
      reason: 'no answer of the teacher is fit to learn from',
      rejectedByReason: { duplicate: 6 },
      teacherTokens: 1000,
      cost: { amount: 0.25, currency: 'USD' },
      secondsByStep: { generate: 60 },
    };
    const html = await written({ rounds: [baseRound, dataRound], ended });
    expect(cellsOf(sectionOf(html, 'time-and-cost')).slice(-11)).toEqual([
      ...['2', '–', '–', '–', '–', 'ended the run', '0', '6', '1,000', '0.25 USD', '1 min 0 s'],
    ]);
    const verdict = html.slice(0, html.indexOf('id="section-accuracy"'));
    for (const figure of [
      '57,789',
      '1.75 USD',
      'The run ended in round 2: no answer of the teacher is fit to learn from',
    ])
      expect(verdict).toContain(figure);
  });

  test('opens with a verdict, then accuracy, types, samples and bad cases; settings and lineage come last', async () => {
    const html = await written({ rounds: [baseRound, dataRound], configSummary: [{ label: 'Seed', value: '17' }] });
    expect([...html.matchAll(/<section id="([^"]+)"/g)].map(([, id]) => id)).toEqual([
      'verdict',
      ...['accuracy', 'question-types', 'samples', 'bad-cases', 'time-and-cost', 'settings', 'lineage'].map(
        (name) => `section-${name}`,
      ),
    ]);
    expect(cellsOf(sectionOf(html, 'settings'))).toEqual(['Seed', '17']);
  });

  test('shows what was rejected, and why', async () => {
    const rejected = {
      round: 1,
      image: 'nowhere.jpg',
      reason: 'choice_count',
      detail: 'five',
      raw: 'What is <i>this</i>?',
    };
    const html = await written({ rounds: [baseRound, dataRound], rejected: [rejected] });
    expect(html).toContain('<b>choice_count</b>: five</p><pre>What is &lt;i&gt;this&lt;/i&gt;?</pre>');
    expect(html).toContain('choice_count (1)</option>');
  });

  test('a bad case shows what each round answered, and is filed under what became of it', async () => {
    const cases = [
      { ...badCase, chosen: [0, 1] },
      { ...badCase, chosen: [1, 2] },
      { ...badCase, chosen: [undefined, 3] },
    ];
    const html = await written({ badCases: cases });
    expect(html).toContain('0: (A) ✗</span> <span class="correct">1: (B) ✓');
    expect(html).toContain('0: not asked</span> <span class="chosen">1: (D) ✗');
    for (const fate of ['fixed: right now', 'forgotten: was right before', 'never right'])
      expect(html).toContain(`>${fate} (1)</option>`);
  });

  test('of a long run the last ten rounds are whole, and those before them add a line or two each', async () => {
    const ofRounds = (last: number) => {
      const { rounds, ...report } = sampleReport('nowhere.jpg', last);
      return written({ ...report, rounds: rounds.map((one) => ({ ...one, pruned: '13.5 GB were pruned' })) });
    };
    const [long, longer] = [await ofRounds(40), await ofRounds(60)];
    expect((longer.length - long.length) / 20).toBeLessThan(1500);
    expect(longer).toContain('Rounds 0 to 50 are left out here');
    expect(longer).toContain('So are the models of 51 rounds before them');
    const types = sectionOf(longer, 'question-types');
    expect([types.includes('<summary>Round 51: weights'), types.includes('<summary>Round 50: weights')]).toEqual([
      true,
      false,
    ]);
    // The sums are of all rounds.
    expect(longer.slice(0, longer.indexOf('id="section-accuracy"'))).toContain('Rounds 0 to 9');
    const { rounds } = sampleReport('nowhere.jpg', 60);
    const answers = await written({ rounds, badCases: [{ ...badCase, chosen: [0, ...Array(9).fill(1)] }] });
    expect(answers).toContain('51: (A) ✗</span> <span class="correct">52: (B) ✓');
  });

  test('draws what came from what, escaped', async () => {
    const html = await written({ lineage });
    expect(cellsOf(sectionOf(html, 'lineage')).slice(0, 9)).toEqual([
      ...['base model', '&lt;b&gt;', ''],
      ...['adapter 0', 'loss 0', 'base model'],
      ...['adapter 1', 'loss 1', ''],
    ]);
    const drawn = [...html.slice(html.indexOf('class="scroll lineage"')).matchAll(/>([^<>]+)<\/text>/g)].map(
      ([, text]) => text,
    );
    expect(drawn.sort()).toEqual([
      '&lt;b&gt;',
      'adapter',
      'adapter',
      'base model',
      'loss 0',
      'loss 1',
      'round 0',
      'round 1',
    ]);
  });

  test('of many rounds, the lineage shows the last', async () => {
    const nodes = Array.from({ length: 9 }, (_, round) => ({ id: `${round}`, kind: 'adapter', details: [], round }));
    const html = await written({ lineage: { nodes, edges: [] } });
    expect(html).toContain('The last 6 rounds; 3 before them.');
    expect(html).not.toContain('>round 2<');
    expect(html).toContain('>round 3<');
  });

  test('draws accuracy, loss, error by type, sampling, time and cost', async () => {
    const html = await written({ rounds: [baseRound, dataRound] });
    // Accuracy twice, loss, time and cost, each for a wide page and for a phone.
    expect(html.match(/<svg/g)).toHaveLength(10);
    const types = cellsOf(sectionOf(html, 'question-types'));
    expect(types.slice(0, 10)).toEqual([
      ...['count &lt;objects&gt;', '–', '75 %', '50 %', '30'],
      ...['color', '–', '25 %', '20 %', '10'],
    ]);
    expect(types.slice(10, 15)).toEqual(['count &lt;objects&gt;', '75.0 %', '75.0 %', '30', '+25.0']);
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('escapes every text and marks the correct choice and the answer of the model', async () => {
    const html = await written({ run: '<i>run</i>', badCases: [badCase] });
    expect(html).not.toMatch(/<script|<b>blue|<i>/);
    expect(html).toContain('What color is &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co?');
    expect(html).toContain('<li class="correct">&lt;b&gt;blue&lt;/b&gt; <span>✓ correct</span></li>');
    expect(html).toContain('<li class="chosen">red <span>✗ model’s answer</span></li>');
  });

  test('carries small images inside, and a gray box for one that cannot be read', async () => {
    const folder = await temporaryFolder();
    const [large, broken] = [join(folder, 'large.png'), join(folder, 'broken.jpg')];
    await sharp({ create: { width: 800, height: 400, channels: 3, background: 'teal' } }).toFile(large);
    await writeFile(broken, 'no image');
    const html = await written({
      generated: [large, broken, join(folder, 'missing.jpg')].map((image) => ({
        ...sample,
        image,
        rationale: 'Because <it> is.',
      })),
    });
    const images = [...html.matchAll(/<img src="data:image\/jpeg;base64,([^"]*)"/g)];
    expect(images).toHaveLength(1);
    const inlined = await sharp(Buffer.from(images[0]?.[1] ?? '', 'base64')).metadata();
    expect([inlined.format, inlined.width, inlined.height]).toEqual(['jpeg', 160, 80]);
    expect(html.match(/class="no-image"/g)).toHaveLength(2);
    expect(html).toContain('Because &lt;it&gt; is.');
  });

  test('needs nothing from outside the file', async () => {
    const html = await written({ rounds: [baseRound, dataRound], badCases: [badCase], generated: [sample], lineage });
    expect(html).not.toMatch(/https?:\/\/|<link|<script|@import|url\((?!#)/);
    expect(html).toContain('prefers-color-scheme: dark');
  });

  test('stays small with many images, and shows each question type and fate', async () => {
    const image = join(await temporaryFolder(), 'noise.png');
    const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
    await sharp({ create: { width: 160, height: 160, channels: 3, background: 'teal', noise } }).toFile(image);
    const many = Array.from({ length: 400 }, (_, index) => ({ ...badCase, image, question: `Question ${index}?` }));
    const html = await written({
      rounds: [baseRound, dataRound],
      badCases: [...many, { ...badCase, image, questionType: 'rare type', chosen: [0, 1] }],
      generated: many.map((one) => ({ ...one, round: 1 })),
      rejected: many.map(() => ({ round: 1, image, reason: 'duplicate', detail: 'it', raw: 'Again' })),
    });
    expect(html.length).toBeLessThan(5_000_000);
    expect(html).toMatch(/<span>\d+ of 401<\/span>/);
    expect(html).toContain('rare type (1)</option>');
  });

  test('is written for a run without finished rounds, and leaves no temporary file', async () => {
    const folder = await temporaryFolder();
    const output = join(folder, 'report.html');
    await writeReport({ ...empty, output });
    expect(await readFile(output, 'utf8')).toContain('</html>');
    expect(await readdir(folder)).toEqual(['report.html']);
  });
});
