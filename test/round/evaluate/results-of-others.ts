/** What VLMEvalKit would say of a model's answers to the questions of `writeOwnRun`. */
import { join } from 'node:path';
import writeExcelFile from 'write-excel-file/node';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

interface Row {
  index: string;
  question: string;
  prediction: string;
  hit: number;
}

const isChoice = (number: number) => number % 2 === 0;
export const colors = ['red', 'green', 'blue', 'yellow'];
export const row = (number: number, prediction: string, hit: number): Row => ({
  index: `frage ${number}`,
  question: isChoice(number) ? 'What color is the part?' : 'What is the color of the part?\nAnswer with one word.',
  prediction,
  hit,
});
/** Of the 12 validation questions: choices right but for 4 and 8, of which 8 names none; short answers right but for three. */
export const rows = Array.from({ length: 12 }, (_, number) => {
  if (number === 4) return row(4, 'It is (B).', 0);
  if (number === 8) return row(8, 'I cannot tell.', 0);
  if (isChoice(number)) return row(number, 'as the judge reads it', 1);
  return row(number, `answer ${number}`, [0.25, 0.75, 1, 0, 0.4, 1][(number - 1) / 2] ?? 0);
});

/** A file of results as VLMEvalKit writes it. @returns its path */
export async function excel(records: readonly Row[]): Promise<string> {
  const file = join(await temporaryFolder(), 'model_own_result.xlsx');
  const columns = ['index', 'question', 'prediction', 'hit'] as const;
  const cells = records.map((record) => columns.map((column) => ({ value: record[column] })));
  await writeExcelFile([columns.map((value) => ({ value })), ...cells] as never).toFile(file);
  return file;
}
