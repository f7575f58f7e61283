/** Files of VLMEvalKit's layout, of the same questions: `image_path` names the image, as a local file may. */
import { readFile } from 'node:fs/promises';
import { joinInside } from '../../src/core/inside.ts';
import { writeFileAtomically } from '../../src/core/write-file.ts';
import { askAny, type Drawn } from './draws.ts';

/** A line of a TSV; `image_path` is the name of a file in the folder of images. */
export type TsvRow = Record<string, string | number> & { index: number; question: string; image_path: string };

const LETTERS = 'ABCD';

/** Questions with four options. */
export function optionRows(drawn: readonly Drawn[]): TsvRow[] {
  return drawn.map((one) => {
    const { question, choices, correctChoiceIndex } = askAny(one);
    const options = Object.fromEntries(choices.map((choice, index) => [LETTERS[index], choice]));
    const answer = LETTERS[correctChoiceIndex] as string;
    const category = `kind ${one.number % 3}`;
    return { index: one.number, question, ...options, answer, category, image_path: one.image.fileName };
  });
}

/** @param images where given, the images are in the file (`image`), as in the published ones; else their names are */
export async function writeTsv(file: string, rows: readonly TsvRow[], images?: string): Promise<void> {
  const lines = await Promise.all(
    rows.map(async (row): Promise<Record<string, string | number>> => {
      if (images === undefined) return row;
      const { image_path: name, ...others } = row;
      return { image: (await readFile(joinInside(images, name))).toString('base64'), ...others };
    }),
  );
  const columns = Object.keys(lines[0] ?? {});
  const text = lines.map((line) => columns.map((column) => line[column]).join('\t'));
  await writeFileAtomically(file, `${[columns.join('\t'), ...text].join('\n')}\n`);
}
