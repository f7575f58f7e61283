/** One file of questions becomes training, validation and test data that share no image and no near duplicate. */
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileExists, fillFolder } from '../../core/files.ts';
import { hashFile } from '../../core/hash.ts';
import { InputError } from '../../core/input-error.ts';
import { readJson } from '../../core/read-json.ts';
import { countBy } from '../../core/records.ts';
import { writeJson } from '../../core/write-file.ts';
import { formatOf, type TableFormat } from '../tables/index.ts';
import { hashTable } from '../tables/shards.ts';
import { chooseSides } from './choose-sides.ts';
import { groupNearDuplicates } from './near-duplicates.ts';
import { type PlacedQuestion, type QuestionsSource, readPlacedQuestions, type SeenImage } from './read-questions.ts';
import { defaultFineBits, type SideName, type Split, sideNames, splitManifest, splitSchema } from './split-manifest.ts';
import { extensionOf, writeRows } from './write-rows.ts';

export type { Split } from './split-manifest.ts';

export interface SplitInput extends Omit<QuestionsSource, 'format' | 'onLeftOut'> {
  /** Default: by the file's content. */
  format?: TableFormat | undefined;
  /** A folder that does not exist yet, or is empty. */
  output: string;
  /** Below 1 a share of the questions, otherwise their number, 0 for none; training data is what is left. */
  validation: number;
  test: number;
  seed: number | string;
  /** How many of 256 bits may differ between near duplicates. */
  nearDuplicateBits?: number | undefined;
  /** Replaces what an earlier call wrote into the folder. */
  replace?: boolean | undefined;
}

/**
 * Divides the questions of a file by their images. All questions about an image, and about images that look nearly like it, are
 * on one side; the questions of each type have about the same shares on each. The same questions and seed give the same sides,
 * in whatever order and under whatever names of files they are.
 *
 * Writes `train`, `validation` and `test` in the source's format, with all columns, and `split.json`; the folder appears once it
 * is complete.
 *
 * @throws InputError naming what does not fit in the file, a folder that is not empty, and shares that leave a side empty
 */
export async function splitQuestions(input: SplitInput): Promise<Split> {
  const { file, output, validation, test, seed, nearDuplicateBits = defaultFineBits, replace = false } = input;
  return withOutput(output, replace, async (folder) => {
    const format = input.format ?? (await formatOf(file));
    const reasons: string[] = [];
    const questions = await readPlacedQuestions({ ...input, format, onLeftOut: (reason) => reasons.push(reason) });
    if (questions.length === 0) {
      throw new InputError({ file, problem: 'has no question with an image', remedy: 'Correct its images' });
    }
    const shares = sharesOf(file, { validation, test }, questions.length);
    const groups = groupQuestions(questions, nearDuplicateBits);
    const chosen = chooseSides(groups, { shares: shares.map(({ share }) => share), seed });
    const sideOfRow = new Map<number, SideName>();
    for (const [index, group] of groups.entries()) {
      const side = shares[chosen[index] as number]?.name as SideName;
      for (const { row } of group.questions) sideOfRow.set(row, side);
    }
    const sides: Split['sides'] = {};
    const owned = shares.map(({ name }) => {
      const own = questions.filter(({ row }) => sideOfRow.get(row) === name);
      if (own.length === 0) throw emptySide(file, name, groups.length);
      return { name, own, target: `${name}.${extensionOf[format]}` };
    });
    const targets = owned.map(({ name, target }) => ({
      file: join(folder, target),
      isChosen: (row: number) => sideOfRow.get(row) === name,
    }));
    await writeRows(format, file, targets);
    for (const { name, own, target } of owned) {
      sides[name] = {
        file: target,
        sha256: await hashFile(join(folder, target)),
        questions: own.length,
        images: new Set(own.map(({ image }) => image.hash)).size,
        byType: countBy(own, typeOf),
      };
    }
    const split: Split = {
      schemaVersion: 1,
      source: { file, sha256: await hashTable(file), format },
      seed,
      wanted: { validation, test },
      sides,
      nearDuplicates: groups.flatMap(({ images, bits }, index) =>
        images.length < 2
          ? []
          : [{ side: shares[chosen[index] as number]?.name as SideName, bits, images: images.map(({ name }) => name) }],
      ),
      nearDuplicateBits,
      tooFew: typesWithTooFew(groups, sides),
      leftOut: countBy(reasons, (reason) => reason),
    };
    await writeJson(join(folder, splitManifest), split);
    return split;
  });
}

interface ImageGroup {
  key: string;
  counts: ReadonlyMap<string, number>;
  /** In the order of their hashes. */
  images: SeenImage[];
  bits: number;
  questions: PlacedQuestion[];
}

/** Of a group that is larger, near duplicates are taken more strictly; the images that one side may need all the same. */
const [largestShare, smallGroup] = [0.25, 10];

function groupQuestions(questions: readonly PlacedQuestion[], bits: number): ImageGroup[] {
  const byImage = new Map<string, PlacedQuestion[]>();
  for (const question of questions) {
    const ofImage = byImage.get(question.image.hash);
    if (ofImage === undefined) byImage.set(question.image.hash, [question]);
    else ofImage.push(question);
  }
  // By content, so that neither names nor the order of the questions matter.
  const images = [...byImage]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, [first]]) => first?.image as SeenImage);
  const largest = Math.max(smallGroup, Math.floor(images.length * largestShare));
  const hashes = images.map(({ perceptual }) => perceptual);
  return groupNearDuplicates(hashes, { bits, largest }).map((group) => {
    const members = group.members.map((member) => images[member] as SeenImage);
    const own = members.flatMap(({ hash }) => byImage.get(hash) ?? []);
    const counts = new Map(Object.entries(countBy(own, typeOf)));
    return { key: members[0]?.hash as string, counts, images: members, bits: group.bits, questions: own };
  });
}

const untyped = 'unclassified';

function typeOf({ type }: PlacedQuestion): string {
  return type ?? untyped;
}

function sharesOf(
  file: string,
  wanted: Pick<SplitInput, 'validation' | 'test'>,
  questions: number,
): { name: SideName; share: number }[] {
  const [validation, test] = [wanted.validation, wanted.test].map((amount) =>
    amount < 1 ? amount : amount / questions,
  ) as [number, number];
  const train = 1 - validation - test;
  const problem =
    validation + test === 0
      ? 'neither validation nor test gets any question'
      : train <= 0
        ? `validation and test take all of its ${questions} questions`
        : undefined;
  if (problem === undefined) {
    const shares = { train, validation, test };
    return sideNames.map((name) => ({ name, share: shares[name] })).filter(({ share }) => share > 0);
  }
  throw new InputError({ file, problem, remedy: 'Give shares such as --validation 0.1 --test 0.1' });
}

function emptySide(file: string, side: SideName, groups: number): InputError {
  const problem = `${side} gets no question: there are ${groups} images or groups of near duplicates`;
  return new InputError({ file, problem, remedy: 'Give it a larger share, or add images' });
}

function typesWithTooFew(groups: readonly ImageGroup[], sides: Split['sides']): Split['tooFew'] {
  const numbers = countBy(
    groups.flatMap(({ counts }) => [...counts.keys()]),
    (type) => type,
  );
  return Object.entries(numbers).flatMap(([type, number]) => {
    const missingIn = sideNames.filter((name) => sides[name] !== undefined && !Object.hasOwn(sides[name].byType, type));
    return missingIn.length === 0 ? [] : [{ type, groups: number, missingIn }];
  });
}

/** @throws InputError when the folder has anything but what an earlier call wrote, which is replaced where that is wanted */
async function withOutput<R>(output: string, replace: boolean, work: (folder: string) => Promise<R>): Promise<R> {
  if (!replace && (await fileExists(join(output, splitManifest)))) {
    const remedy = 'Give --replace to write it anew, or name a folder that does not exist yet';
    throw new InputError({ file: output, problem: 'has an earlier division', remedy });
  }
  if (!replace || !(await fileExists(output))) return fillFolder(output, work);
  const suffix = randomBytes(6).toString('hex');
  const [fresh, former] = [`${output}.${suffix}.new`, `${output}.${suffix}.old`];
  const { sides } = await readJson(join(output, splitManifest), splitSchema);
  const own = new Set([splitManifest, ...Object.values(sides).map((side) => side?.file)]);
  const other = (await readdir(output)).find((name) => !own.has(name));
  if (other !== undefined) {
    const remedy = 'Move it away, or name another folder';
    throw new InputError({ file: `${output}/${other}`, problem: 'was not written by an earlier split', remedy });
  }
  const result = await fillFolder(fresh, work);
  await rename(output, former);
  await rename(fresh, output);
  await rm(former, { recursive: true });
  return result;
}
