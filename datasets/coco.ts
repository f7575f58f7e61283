import { z } from 'zod';
import { describeFirstIssue } from '../store/field-path.ts';
import { InputError } from '../store/input-error.ts';
import { streamRecords, type TakeRecord } from './stream-records.ts';

export interface CocoPicture {
  id: number;
  /** Without folder. */
  fileName: string;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
}

export interface CocoBox {
  /** The category's name. */
  category: string;
  /** Left, top, width, height in pixels. */
  box: [x: number, y: number, width: number, height: number];
}

/** What COCO says of the pictures of a split. */
export interface CocoIndex {
  /** By ascending id. */
  pictures: CocoPicture[];
  /** In the order of the file; none for an unknown picture. */
  captions(imageId: number): string[];
  /** In the order of the file; none for an unknown picture. */
  boxes(imageId: number): CocoBox[];
}

const id = z.int().nonnegative();
const imageSchema = z.object({
  id,
  file_name: z.string().min(1),
  width: z.int().positive(),
  height: z.int().positive(),
});
const categorySchema = z.object({ id, name: z.string() });
const boxSchema = z.object({
  image_id: id,
  category_id: id,
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
});
const captionSchema = z.object({ image_id: id, caption: z.string() });

/**
 * Reads COCO's `instances_*.json` and `captions_*.json` of one split. The files are streamed, and outlines
 * are skipped: they are nine tenths of the instances.
 *
 * @throws InputError naming file and field, such as `annotations[12].bbox`.
 */
export async function readCoco(files: { instances: string; captions: string }): Promise<CocoIndex> {
  const pictures = new Map<number, CocoPicture>();
  const takePicture = (file: string) =>
    checked(file, 'images', imageSchema, ({ id, file_name, width, height }) => {
      pictures.set(id, { id, fileName: file_name, width, height });
    });

  const names = new Map<number, string>();
  const boxes = new Map<number, { categoryId: number; box: CocoBox['box']; index: number }[]>();
  await readArrays(
    files.instances,
    {
      images: takePicture(files.instances),
      categories: checked(files.instances, 'categories', categorySchema, ({ id, name }) => names.set(id, name)),
      annotations: checked(files.instances, 'annotations', boxSchema, ({ image_id, category_id, bbox }, index) => {
        listOf(boxes, image_id).push({ categoryId: category_id, box: bbox, index });
      }),
    },
    ['segmentation'],
  );

  const captions = new Map<number, string[]>();
  await readArrays(files.captions, {
    images: takePicture(files.captions),
    annotations: checked(files.captions, 'annotations', captionSchema, ({ image_id, caption }) => {
      listOf(captions, image_id).push(caption.trim());
    }),
  });

  // The categories come last in COCO's files, so names can be looked up only now.
  const named = new Map<number, CocoBox[]>();
  for (const [imageId, list] of boxes) {
    named.set(
      imageId,
      list.map(({ categoryId, box, index }) => ({
        category: categoryName(files.instances, names, categoryId, index),
        box,
      })),
    );
  }
  return {
    pictures: [...pictures.values()].sort((left, right) => left.id - right.id),
    captions: (imageId) => captions.get(imageId) ?? [],
    boxes: (imageId) => named.get(imageId) ?? [],
  };
}

function checked<S extends z.ZodType>(
  file: string,
  array: string,
  schema: S,
  take: (record: z.output<S>, index: number) => void,
): TakeRecord {
  return (record, index) => {
    const result = schema.safeParse(record);
    if (!result.success) {
      const { field, problem } = describeFirstIssue(result.error);
      throw new InputError({
        file,
        field: `${array}[${index}]${field ? `.${field}` : ''}`,
        problem,
        remedy: 'Mend this value',
      });
    }
    take(result.data, index);
  };
}

async function readArrays(file: string, arrays: Record<string, TakeRecord>, ignoredKeys?: string[]): Promise<void> {
  const found = await streamRecords(file, arrays, ignoredKeys);
  const missing = Object.keys(arrays).find((name) => !found.has(name));
  if (missing === undefined) return;
  throw new InputError({
    file,
    field: missing,
    problem: 'is missing',
    remedy: "Give one of COCO's own annotation files, or one like them",
  });
}

function categoryName(file: string, names: ReadonlyMap<number, string>, categoryId: number, index: number): string {
  const name = names.get(categoryId);
  if (name !== undefined) return name;
  throw new InputError({
    file,
    field: `annotations[${index}].category_id`,
    problem: `${categoryId} is none of the file's categories`,
    remedy: 'Mend this value, or add the category',
  });
}

function listOf<T>(lists: Map<number, T[]>, key: number): T[] {
  const list = lists.get(key);
  if (list) return list;
  const fresh: T[] = [];
  lists.set(key, fresh);
  return fresh;
}
