/** The questions of a file as far as their division needs them: what image each is about, and its type. */
import { relative } from 'node:path';
import { hashBytes, hashFile } from '../../core/hash.ts';
import type { ExifMode } from '../../core/images/image-kind.ts';
import { InputError } from '../../core/input-error.ts';
import { inputErrorOfFile } from '../../core/regular-file.ts';
import { readAskedAokvqa } from '../aokvqa.ts';
import { imageFolder } from '../image-folder.ts';
import { type ImageOfQuestion, type QuestionColumn, readQuestionRows } from '../own-questions.ts';
import { isThere, type TableFormat, tableRows } from '../tables/index.ts';
import { type PerceptualHash, perceptualHash } from './perceptual-hash.ts';

export interface QuestionsSource {
  /** Questions of your own in any format, or A-OKVQA's. */
  file: string;
  format: TableFormat;
  /** The folder that paths of images are in. */
  images?: string | undefined;
  columns?: Partial<Record<QuestionColumn, string>> | undefined;
  exif?: ExifMode | undefined;
  /** Leaves out rows that do not fit, and those whose image can't be opened. */
  skipInvalid?: boolean | undefined;
  /** Called with the reason for each row that is left out. */
  onLeftOut?: ((reason: string) => void) | undefined;
  onProgress?: ((done: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** What an image is, whatever its name. */
export interface SeenImage {
  /** SHA-256 of its content. */
  hash: string;
  perceptual: PerceptualHash;
  /** Its path below the folder, or for one within the file that of its question. */
  name: string;
}

export interface PlacedQuestion {
  /** Its number in the file, from 0. */
  row: number;
  image: SeenImage;
  type: string | undefined;
}

/**
 * Reads all questions and looks at each image once.
 *
 * @throws InputError naming file and row of what does not fit, or the question whose image can't be opened
 */
export async function readPlacedQuestions(source: QuestionsSource): Promise<PlacedQuestion[]> {
  const { file, skipInvalid = false, onLeftOut, onProgress, signal } = source;
  const see = imageViewer(source);
  const placed: PlacedQuestion[] = [];
  for await (const { row, id, image, type } of (await isAokvqa(source)) ? aokvqaRows(source) : ownRows(source)) {
    signal?.throwIfAborted();
    try {
      placed.push({ row, type, image: await see(image, id) });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (!skipInvalid) throw ofQuestion(file, id, error);
      onLeftOut?.('image: can not be opened');
    }
    onProgress?.(placed.length);
  }
  return placed;
}

interface ReadRow {
  row: number;
  id: string;
  image: ImageOfQuestion | { aokvqa: number | string };
  type: string | undefined;
}

async function* ownRows({ file, format, columns, skipInvalid, onLeftOut }: QuestionsSource): AsyncGenerator<ReadRow> {
  let row = 0;
  const leaveOut = (reason: string) => {
    row += 1;
    onLeftOut?.(reason);
  };
  for await (const question of readQuestionRows({ file, format, columns, skipInvalid, onLeftOut: leaveOut })) {
    const { id, image, type } = question;
    yield { row, id, image, type };
    row += 1;
  }
}

async function* aokvqaRows({ file, columns = {}, skipInvalid }: QuestionsSource): AsyncGenerator<ReadRow> {
  const [column] = Object.keys(columns);
  const problem = column === undefined ? 'does not take skipInvalid' : `does not take another name for ${column}`;
  if (skipInvalid || column !== undefined) {
    throw new InputError({ file, problem: `has A-OKVQA's layout, which ${problem}`, remedy: 'Leave it out' });
  }
  for (const [row, question] of (await readAskedAokvqa(file)).entries()) {
    const { question_id: id, image_id: aokvqa, question_type: type } = question;
    yield { row, id, image: { aokvqa }, type };
  }
}

/** By the first record. @throws InputError for conversations, and for a file without any */
async function isAokvqa({ file, format }: QuestionsSource): Promise<boolean> {
  for await (const { values } of tableRows(file, format)) {
    const has = (name: string) => isThere(values.get(name));
    if (has('conversations') || has('messages')) {
      const remedy = 'Name a file with a question a row (docs/data.md#questions-of-your-own)';
      throw new InputError({ file, problem: 'has conversations: only questions can be divided', remedy });
    }
    return format === 'json' && has('image_id') && has('question_id') && !has('image') && !has('image_path');
  }
  throw new InputError({ file, problem: 'has no questions', remedy: 'Name a file with at least one' });
}

/** Opens each image once, by its file or its content. */
function imageViewer({ file, images, exif }: QuestionsSource) {
  const folder = images === undefined ? undefined : imageFolder(images);
  const byFile = new Map<string, Promise<SeenImage>>();
  const byHash = new Map<string, Promise<SeenImage>>();
  const once = (seen: Map<string, Promise<SeenImage>>, key: string, open: () => Promise<SeenImage>) => {
    const known = seen.get(key) ?? open();
    seen.set(key, known);
    return known;
  };
  return async (image: ReadRow['image'], id: string): Promise<SeenImage> => {
    if ('content' in image) {
      const content = Buffer.from(image.content);
      const hash = hashBytes(content);
      return once(byHash, hash, async () => ({
        hash,
        perceptual: await perceptualHash(content, { exif }),
        name: `image of ${id}`,
      }));
    }
    if (folder === undefined) {
      throw new InputError({ file, problem: 'names images by their paths', remedy: 'Give their folder (--images)' });
    }
    const path = await folder.fileOf('path' in image ? image.path : image.aokvqa);
    return once(byFile, path, async () => {
      const hash = await hashFile(path).catch((cause: unknown) => {
        throw inputErrorOfFile(path, cause);
      });
      const name = relative(folder.path, path);
      const { perceptual } = await once(byHash, hash, async () => ({
        hash,
        perceptual: await perceptualHash(path, { exif }),
        name,
      }));
      return { hash, perceptual, name };
    });
  };
}

function ofQuestion(file: string, id: string, error: InputError): InputError {
  if (error.file === file) return error;
  const problem = `its image ${error.file}: ${error.problem}`;
  return new InputError({ file, field: `question ${id}`, problem, remedy: error.remedy }, { cause: error });
}
