/**
 * SEED-Bench-2 (arXiv 2311.17092; https://github.com/AILab-CVC/SEED-Bench), the questions about one image, by the answer ranking of
 * its `SEED-Bench-2/eval.py`, which is SEED-Bench's.
 */
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { describeFirstIssue, InputError } from '../../core/input-error.ts';
import { innerPath, joinInside } from '../../core/inside.ts';
import { readJson } from '../../core/read-json.ts';
import { type Benchmark, requireImageFolder } from './benchmark.ts';
import { idText } from './record-files.ts';
import { type SeedBenchItem, seedBench } from './seed-bench.ts';

/** `data_source` → the folder that its images are unpacked into, below the folder of images. */
const folderOf: Readonly<Record<string, string>> = { cc3m: 'cc3m-image', 'SEED-Bench v2': 'SEED-Bench-2-image' };
const oneImage = 'Single-Image & Text Comprehension';
const letters = ['A', 'B', 'C', 'D'] as const;

const questionSchema = z.object({
  question_id: idText,
  data_id: innerPath,
  data_source: z.string().optional(),
  question: z.string().min(1),
  choice_a: idText,
  choice_b: idText,
  choice_c: idText,
  choice_d: idText,
  answer: z.enum(letters),
  question_type_id: z.int(),
  subpart: z.literal(oneImage),
});

const fileSchema = z.object({
  // Questions about several images, videos and generated images have other fields, and are skipped.
  questions: z.array(z.looseObject({ subpart: z.string() })),
  question_type: z.record(z.string(), z.int()).optional(),
});

export const seedBench2: Benchmark<SeedBenchItem> = {
  ...seedBench,
  title: 'SEED-Bench-2 (one image)',
  officialFiles: { folder: 'SEED-Bench-2', extension: '.json' },
  downloads: {
    'SEED-Bench-2':
      'Download SEED-Bench_v2_level1_2_3.json and its images as github.com/AILab-CVC/SEED-Bench says, into SEED-Bench-2',
  },

  async read(source) {
    const { file, limit } = source;
    const images = requireImageFolder(source);
    const { questions, question_type: types = {} } = await readJson(file, fileSchema);
    const names = new Map(Object.entries(types).map(([name, id]) => [id, name]));
    const folders = new Map<string, string>();
    for (const [name, folder] of Object.entries(folderOf)) {
      const path = joinInside(images, folder);
      if (await fileExists(path)) folders.set(name, path);
    }
    const places = new Map<string, number>();
    const read = questions.flatMap((question, index): SeedBenchItem[] => {
      if (question.subpart !== oneImage) return [];
      const parsed = questionSchema.safeParse(question);
      const wrong = (field: string, problem: string) =>
        new InputError({ file, field: `questions[${index}].${field}`, problem, remedy: 'Download the file again' });
      if (!parsed.success) {
        const { field, problem } = describeFirstIssue(parsed.error);
        throw wrong(field, problem);
      }
      const one = parsed.data;
      const earlier = places.get(one.question_id);
      if (earlier !== undefined) {
        throw wrong('question_id', `'${one.question_id}' is also the id of questions[${earlier}]`);
      }
      places.set(one.question_id, index);
      return [
        {
          id: one.question_id,
          questionId: one.question_id,
          dataId: one.data_id,
          question: one.question,
          choices: [one.choice_a, one.choice_b, one.choice_c, one.choice_d],
          correct: letters.indexOf(one.answer),
          dimension: names.get(one.question_type_id) ?? `type ${one.question_type_id}`,
          image: joinInside(folders.get(one.data_source ?? '') ?? images, one.data_id, file),
        },
      ];
    });
    if (read.length > 0) return read.slice(0, limit);
    throw new InputError({
      file,
      field: 'questions',
      problem: `has none of ${oneImage}`,
      remedy: 'Name the file of all',
    });
  },
};
