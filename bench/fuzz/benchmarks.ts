/** What `npm run fuzz` feeds: the readers of benchmarks' files. */
import { readFile } from 'node:fs/promises';
import { unzipSync, zipSync } from 'fflate';
import { projectFile } from '../../src/core/files.ts';
import { type BenchmarkName, benchmarkOf } from '../../src/evaluation/benchmarks/index.ts';
import { readResults } from '../../src/evaluation/import-results.ts';
import { readPythonList } from '../../src/evaluation/python-text.ts';
import { type FuzzedParser, ofFile, parserTarget } from './parsers.ts';

const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const table = [
  ['index', 'question', 'hint', 'A', 'B', 'C', 'answer', 'category', 'l2-category', 'split', 'image'],
  ['0', 'Which?', '', 'red', 'blue', '', 'B', 'color', 'x', 'dev', pixel],
  ['1', '"Two ""quoted"" lines\nof it"', 'a hint', 'red', 'nan', 'None', 'A', 'color', 'x', 'dev', '0'],
  ['2', 'How many?', '', '', '', '', `['2', "two's"]`, 'count', 'y', 'dev', `['${pixel}', '${pixel}']`],
]
  .map((cells) => cells.join('\t'))
  .join('\n');

/** The first records of a made file of a benchmark, each of which has a line. */
async function firstRecords(path: string): Promise<Buffer> {
  const lines = (await readFile(projectFile(`test/fixtures/benchmarks/${path}`), 'utf8')).trimEnd().split('\n');
  if (path.endsWith('.jsonl') || path.includes('_pope_')) return Buffer.from(lines.slice(0, 6).join('\n'));
  if (lines[0] === '[') return Buffer.from(`[\n${lines.slice(1, 7).join('\n').replace(/,$/, '')}\n]`);
  const start = lines.findIndex((line) => line.endsWith('['));
  const kept = start < 0 ? lines.slice(0, 6) : lines.slice(0, start + 6);
  return Buffer.from(`${kept.join('\n').replace(/,$/, '')}${start < 0 ? '' : '\n]'}\n}`);
}

const files: Partial<Record<BenchmarkName, string>> = {
  pope: 'pope/coco/coco_pope_random.json',
  mme: 'mme/mme.jsonl',
  'scienceqa-img': 'scienceqa-img/problems.json',
  mmstar: 'mmstar/mmstar.jsonl',
  ai2d: 'ai2d/ai2d.jsonl',
  realworldqa: 'realworldqa/realworldqa.jsonl',
  mmmu: 'mmmu/validation.jsonl',
  gqa: 'gqa/testdev_balanced_questions.json',
  textvqa: 'textvqa/TextVQA_0.5.1_val.json',
  vqav2: 'vqav2/v2_OpenEnded_mscoco_val2014_questions.json',
  vizwiz: 'vizwiz/val.json',
  chartqa: 'chartqa/test/test_human.json',
  docvqa: 'docvqa/val_v1.0_withQT.json',
  'hallusion-bench': 'hallusion-bench/HallusionBench.json',
  'seed-bench-2': 'seed-bench-2/SEED-Bench_v2_level1_2_3.json',
};

const reader = (name: BenchmarkName, sample: () => Promise<Buffer>, file: string): FuzzedParser => ({
  name: `benchmark-${name}`,
  file,
  sample,
  parse: ofFile(async (path) => {
    const benchmark = benchmarkOf(name);
    // `check` reads as `read` does, but writes no images.
    if (benchmark.check !== undefined) {
      return benchmark.check({ file: path, images: '/images', questions: { metric: 'exact-match' } });
    }
    return benchmark.read({ file: path, images: '/images', extractedImages: '/none' });
  }),
});

const readers: FuzzedParser[] = [
  ...(['tsv', 'mme', 'mmmu', 'hallusion-bench', 'pope'] as const).map((name) => ({
    ...reader(name, async () => Buffer.from(table), 'table.tsv'),
    name: `benchmark-${name}-table`,
  })),
  ...Object.entries(files).map(([name, path]) =>
    reader(name as BenchmarkName, () => firstRecords(path), path.split('/').at(-1) as string),
  ),
  {
    name: 'imported-samples',
    file: 'x_samples_mme.jsonl',
    sample: async () =>
      Buffer.from(
        '{"doc_id": 0, "target": "No", "filtered_resps": "No", "mme": {"category": "count", "score": 1.0}, "m": 0.5}\n',
      ),
    parse: ofFile(readResults),
  },
  {
    name: 'imported-results',
    file: 'results.tsv',
    sample: async () => Buffer.from('index\tprediction\thit\tcategory\n1\tA\t1\tx\n2\tB\t0\tx\n'),
    parse: ofFile(readResults),
  },
  {
    name: 'imported-excel',
    file: 'results.xlsx',
    sample: async () => {
      const rows = [
        ['index', 'prediction', 'hit', 'category'],
        [1, 'A', 1, 'x'],
        ['b', 'É & <no>', 0, null],
      ];
      const { default: writeExcelFile } = await import('write-excel-file/node');
      const buffer = await writeExcelFile(rows.map((row) => row.map((value) => ({ value }))) as never).toBuffer();
      // Not compressed: changed bytes reach the sheet.
      return Buffer.from(zipSync(unzipSync(buffer), { level: 0 }));
    },
    parse: ofFile(readResults),
  },
  {
    name: 'python-list',
    file: 'list.txt',
    sample: async () => Buffer.from(`['a', "it's", 3, -1.5e3, 'caf\\xe9', None]`),
    parse: async (_, bytes) => readPythonList(bytes.toString('utf8')),
  },
];

export const benchmarkTargets = readers.map(parserTarget);
