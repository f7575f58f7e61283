/** Writes the files of the bridge's benchmarks, and says where they are. */
import { join } from 'node:path';
import { writeImages } from '../../demo/scenes/images.ts';
import { fileExists } from '../../src/core/files.ts';
import { joinInside } from '../../src/core/inside.ts';
import { readTextFile } from '../../src/core/read-json.ts';
import { writeFileAtomically, writeJson, writeJsonLines } from '../../src/core/write-file.ts';
import { bridgeBenchmarks } from './benchmarks.ts';
import type { BridgeBenchmark, Row } from './bridge-benchmark.ts';
import { drawFor, drawSet, type ImageSet, imageSets, type SceneImage } from './draws.ts';

export interface BenchmarkFiles {
  benchmark: BridgeBenchmark;
  /** The folder of all its files. */
  folder: string;
  /** lmms-eval's records as JSON lines, of which its Parquet file is made. */
  rowsFile: string;
  rows: Row[];
  /** This program's ids of the questions, in the order of the rows. */
  ids: string[];
}

/** Where the rows are in Parquet, as lmms-eval reads them. */
export function parquetOf({ folder, benchmark }: BenchmarkFiles): string {
  return joinInside(folder, benchmark.official ? 'lmms-eval.parquet' : benchmark.file);
}

/** What `evaluate --file` reads: an official file, or the folder of several. */
export function officialFile({ folder, benchmark }: BenchmarkFiles): string {
  return joinInside(folder, benchmark.file);
}

/** The same where there is no Parquet: official files, or where those are Parquet, the same rows as JSON lines. */
export function fileWithoutParquet({ folder, benchmark, rowsFile }: BenchmarkFiles): string {
  if (benchmark.official) return joinInside(folder, benchmark.file);
  const [name] = Object.keys(benchmark.withoutParquet?.([]) ?? {});
  return name === undefined ? rowsFile : joinInside(folder, name);
}

/** Writes all files but Parquet: the same bytes for the same set, images and count. */
export async function writeBenchmarkFiles(
  root: string,
  { set, images, questions }: { set: ImageSet; images: readonly SceneImage[]; questions: number },
): Promise<BenchmarkFiles[]> {
  return Promise.all(
    bridgeBenchmarks.map(async (benchmark) => {
      const folder = joinInside(root, benchmark.name);
      const rows = benchmark.rows(drawFor(benchmark.name, set, images, questions));
      const rowsFile = join(folder, 'rows.jsonl');
      await writeJsonLines(rowsFile, rows);
      for (const [name, content] of Object.entries((benchmark.official ?? benchmark.withoutParquet)?.(rows) ?? {})) {
        const file = joinInside(folder, name);
        // POPE's files are JSON lines under the name of JSON.
        if (/_pope_/.test(name)) await writeJsonLines(file, content as unknown[]);
        else await writeJson(file, content);
      }
      const ids = rows.map((row, number) => benchmark.idOf(row, number, rows));
      return { benchmark, folder, rowsFile, rows, ids };
    }),
  );
}

/** Images and files of a set. The mark, written last, says that the images are complete: they are rendered once. */
export async function writeSet(
  root: string,
  set: ImageSet,
  { images: count, questions }: { images: number; questions: number },
): Promise<{ files: BenchmarkFiles[]; images: string }> {
  const images = drawSet(set, count);
  const folder = join(root, 'images');
  const files = await writeBenchmarkFiles(root, { set, images, questions });
  const [mark, content] = [join(root, 'images-complete'), `${count} of ${imageSets[set].seed}\n`];
  if (!(await fileExists(mark)) || (await readTextFile(mark)) !== content) {
    await writeImages(folder, images, { seen: new Set() });
    await writeFileAtomically(mark, content);
  }
  return { files, images: folder };
}
