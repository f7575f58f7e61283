/** A file of questions in every format becomes three that share no image. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { beforeAll, describe, expect, test } from 'vitest';
import { hashFile } from '../../../src/core/hash.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { readAokvqa } from '../../../src/datasets/aokvqa.ts';
import { readOwnQuestions } from '../../../src/datasets/own-questions.ts';
import { splitQuestions } from '../../../src/datasets/split/split-questions.ts';
import { type TableFormat, tableRows } from '../../../src/datasets/tables/index.ts';
import { printedBy } from '../../cli/in-this-process.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import {
  copiesOfFirst,
  IMAGES,
  imagesIn,
  makeImages,
  pixels,
  questionsAbout,
  sidesOf,
  split,
  writers,
} from './divided.ts';

beforeAll(makeImages);

describe('every format', () => {
  test.each(Object.keys(writers) as TableFormat[])('%s: the same sides, with all columns', async (format) => {
    const questions = questionsAbout(pixels.keys());
    const done = await split(questions, format);
    const sides = await sidesOf(done);
    const expected = await sidesOf(await split(questions, 'jsonl'));
    expect(Object.keys(sides)).toHaveLength(questions.length);
    expect(sides).toEqual(expected);

    for (const [side, facts] of Object.entries(done.result.sides)) {
      const file = join(done.output, facts?.file as string);
      expect(await hashFile(file)).toBe(facts?.sha256);
      const own = questions.filter(({ id }) => sides[id] === side);
      const rows: unknown[] = [];
      for await (const { values } of tableRows(file)) rows.push(Object.fromEntries(values));
      expect(rows).toHaveLength(own.length);
      const same = format === 'webdataset' ? own.map(({ image: _, ...rest }) => rest) : own;
      const asCells = (one: object) =>
        Object.fromEntries(
          Object.entries(one).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
        );
      expect(rows).toMatchObject(format === 'csv' || format === 'tsv' ? same.map(asCells) : same);
    }
    if (format === 'webdataset') {
      const [first] = await readOwnQuestions({ file: join(done.output, 'test.tar') });
      expect(first?.image).toHaveProperty('content');
    }
  });

  test.each(['json', 'jsonl'])('%s: numbers keep all of their digits, and records their form', async (format) => {
    const folder = await temporaryFolder();
    const images = await imagesIn(join(folder, 'images'));
    const records = [...pixels.keys()]
      .slice(0, 12)
      .map(
        (path, index) =>
          `{"id": "${index}", "image": ${JSON.stringify(path)}, "question": "What?", "answer": "it", "big": 9007199254740993${index}, "small": 1.10}`,
      );
    const file = join(folder, `q.${format}`);
    await writeFile(file, format === 'json' ? `[\n  ${records.join(',\n  ')}\n]\n` : `${records.join('\n')}\n`);
    const output = join(folder, 'out');
    const { sides } = await splitQuestions({ file, images, output, validation: 4, test: 0, seed: 1 });
    const texts = await Promise.all(
      Object.values(sides).map((side) => readFile(join(output, side?.file as string), 'utf8')),
    );
    for (const record of records) expect(texts.filter((text) => text.includes(record))).toHaveLength(1);
  });

  test("a folder of Parquet shards with images inside; `datasets`' own types are kept", async () => {
    const folder = await temporaryFolder();
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const images = await imagesIn(join(folder, 'images'));
    await mkdir(join(folder, 'shards'));
    const paths = [...pixels.keys()].slice(0, 20);
    for (const shard of [0, 1]) {
      const own = paths.filter((_, index) => index % 2 === shard);
      const files = own.map((path) => `'${join(images, path)}'`).join(', ');
      await connection.run(`COPY (
        SELECT filename AS id, {'bytes': content, 'path': NULL::VARCHAR} AS image, 'What?' AS question, ['a', 'b'] AS answers,
          170::UTINYINT AS number
        FROM read_blob([${files}])
      ) TO '${folder}/shards/${shard}.parquet' (FORMAT parquet, KV_METADATA {huggingface: '{"info":"an image"}'})`);
    }
    const output = join(folder, 'out');
    const { sides } = await splitQuestions({ file: join(folder, 'shards'), output, validation: 5, test: 0, seed: 1 });
    expect(sides).toMatchObject({ train: { questions: 15 }, validation: { questions: 5 } });
    const result = await connection.runAndReadAll(
      `SELECT count(*), count(DISTINCT id), any_value(typeof(number)), bool_and(octet_length(image.bytes) > 1000)
       FROM '${output}/*.parquet'`,
    );
    expect(result.getRows()).toEqual([[20n, 20n, 'UTINYINT', true]]);
    const kept = await connection.runAndReadAll(
      `SELECT decode(value) FROM parquet_kv_metadata('${output}/train.parquet') WHERE key = 'huggingface'`,
    );
    expect(kept.getRows()).toEqual([['{"info":"an image"}']]);
    connection.closeSync();
  });

  test("A-OKVQA's questions keep their layout", async () => {
    const folder = await temporaryFolder();
    const images = await imagesIn(join(folder, 'images'));
    const questions = [...pixels.keys()].map((image_id, index) => ({
      split: 'val',
      image_id,
      question_id: `q${index}`,
      question: 'Which?',
      choices: ['a', 'b', 'c', 'd'],
      correct_choice_idx: index % 4,
      direct_answers: Array(10).fill('a'),
      rationales: ['because'],
      question_type: index % 2 === 0 ? 'even' : 'odd',
    }));
    const file = join(folder, 'aokvqa.json');
    await writeFile(file, JSON.stringify(questions));
    const output = join(folder, 'out');
    const { sides } = await splitQuestions({ file, images, output, validation: 0.25, test: 0.25, seed: 1 });
    const read = await Promise.all(Object.values(sides).map((side) => readAokvqa(join(output, side?.file as string))));
    expect(
      read
        .flat()
        .map(({ question_id }) => question_id)
        .sort(),
    ).toEqual(questions.map(({ question_id }) => question_id).sort());
  });
});

describe('sides', () => {
  test('no image and no copy of one is on two sides, whatever happened to the copy', async () => {
    const first = [
      'line 0/Bild 0ß.png',
      'copies/the same.png',
      ...copiesOfFirst.map((_, index) => `copies/${index}.png`),
    ];
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const { result, read } = await split(questionsAbout(pixels.keys()), 'jsonl', { seed });
      const sideOfImage = new Map<string, Set<string>>();
      for (const side of ['train', 'validation', 'test'] as const) {
        for (const { image } of await read(side)) {
          const path = 'path' in image ? image.path : '';
          const name = first.includes(path) ? 'first' : path;
          sideOfImage.set(name, (sideOfImage.get(name) ?? new Set()).add(side));
        }
      }
      expect([...sideOfImage.values()].every((sides) => sides.size === 1)).toBe(true);
      expect(sideOfImage.size).toBe(IMAGES);
      expect(result.nearDuplicates).toEqual([
        { side: [...(sideOfImage.get('first') ?? [])][0], bits: result.nearDuplicateBits, images: expect.any(Array) },
      ]);
      // The same content is one image, under whichever of its names.
      expect(result.nearDuplicates[0]?.images).toHaveLength(1 + copiesOfFirst.length);
    }
  });

  test('the shares hold, and every type is on every side', async () => {
    const { result } = await split(questionsAbout([...pixels.keys()].slice(0, IMAGES)), 'jsonl');
    expect(result.sides).toMatchObject({
      train: { questions: 84, images: 28, byType: { color: 28, counting: 28, place: 28 } },
      validation: { questions: 24, images: 8, byType: { color: 8, counting: 8, place: 8 } },
      test: { questions: 12, images: 4, byType: { color: 4, counting: 4, place: 4 } },
    });
    expect(result).toMatchObject({ tooFew: [], leftOut: {}, nearDuplicates: [] });
  });

  test('numbers of questions instead of shares', async () => {
    const { result } = await split(questionsAbout([...pixels.keys()].slice(0, IMAGES)), 'csv', {
      validation: 30,
      test: 15,
    });
    expect(result.sides).toMatchObject({
      train: { questions: 75 },
      validation: { questions: 30 },
      test: { questions: 15 },
    });
  });

  test('the same seed gives the same files; another order the same sides; another seed others', async () => {
    const questions = questionsAbout(pixels.keys());
    const once = await split(questions, 'csv');
    const again = await split(questions, 'csv');
    for (const name of await readdir(once.output)) {
      const [left, right] = await Promise.all([once, again].map(({ output }) => readFile(join(output, name), 'utf8')));
      expect(left?.replaceAll(once.folder, '')).toBe(right?.replaceAll(again.folder, ''));
    }
    const sides = await sidesOf(once);
    expect(await sidesOf(await split(seededRandom(5).shuffle(questions), 'csv'))).toEqual(sides);
    expect(await sidesOf(await split(questions, 'csv', { seed: 2 }))).not.toEqual(sides);
  });

  test('images under other names have the same sides', async () => {
    const questions = questionsAbout(pixels.keys());
    const sides = await sidesOf(await split(questions, 'jsonl'));
    const folder = await temporaryFolder();
    const images = await imagesIn(join(folder, 'images'));
    const renamed = await Promise.all(
      questions.map(async (question) => {
        const image = `${question.image.length}/${question.image.replaceAll('/', '-')}`;
        await mkdir(join(images, `${question.image.length}`), { recursive: true });
        await rename(join(images, question.image), join(images, image)).catch(() => undefined);
        return { ...question, image };
      }),
    );
    const file = join(folder, 'questions.jsonl');
    await writers.jsonl(file, renamed);
    const output = join(folder, 'out');
    const result = await splitQuestions({ file, images, output, validation: 0.2, test: 0.1, seed: 1 });
    const read = (side: string) => readOwnQuestions({ file: join(output, `${side}.jsonl`) });
    expect(await sidesOf({ result, read })).toEqual(sides);
  });

  test('near duplicates are named by their paths in the folder, however the folder was given', async () => {
    const { file, images, output, result } = await split(questionsAbout(pixels.keys()), 'jsonl');
    const given = `.${sep}${relative(process.cwd(), images)}${sep}`;
    const settings = { file, images: given, output: `${output}2`, validation: 0.2, test: 0.1, seed: 1 };
    const again = await splitQuestions(settings);
    expect(again.nearDuplicates).toEqual(result.nearDuplicates);
    expect(result.nearDuplicates[0]?.images).toContain('copies/0.png');
  });

  test('where all images look nearly alike, they are divided all the same, and the command says so', async () => {
    const folder = await temporaryFolder();
    const images = await imagesIn(join(folder, 'images'));
    const paths = copiesOfFirst.map((_, index) => `copies/${index}.png`);
    const file = join(folder, 'questions.csv');
    await writers.csv(file, questionsAbout([...paths, 'line 0/Bild 0ß.png']));
    const output = join(folder, 'out');
    const printed = await printedBy(
      ...['data', 'split', file, '--images', images, '--output', output, '--validation', '0.2', '--test', '0'],
    );
    expect(printed).toContain('similar images may be on two sides');
    const { sides } = JSON.parse(await readFile(join(output, 'split.json'), 'utf8'));
    expect(sides).not.toHaveProperty('test');
  });

  test('a type with fewer images than sides is named', async () => {
    const questions = questionsAbout([...pixels.keys()].slice(0, 20));
    for (const question of questions.slice(0, 2)) question.question_type = 'rare';
    const { result } = await split(questions, 'jsonl');
    expect(result.tooFew).toEqual([{ type: 'rare', groups: 1, missingIn: expect.any(Array) }]);
    expect(result.tooFew[0]?.missingIn).toHaveLength(2);
  });
});
