/** What the bridge reports, and what it keeps as fixtures. */
import { readFile, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { textTable } from '../../cli/text-table.ts';
import { joinInside } from '../../src/core/inside.ts';
import { writeFileAtomically, writeJson } from '../../src/core/write-file.ts';
import type { Result } from './compare.ts';

const fixtures = 'test/fixtures/bridge';
const rounded = (value: number) => Math.round(value * 100) / 100;

/** Scores in percent by program and benchmark, and how far the two agree. */
export function agreementOf(results: readonly Result[]) {
  const alike = results.filter(({ differs }) => differs === undefined);
  const peers = [...new Set(results.map(({ peer }) => peer))];
  return {
    peers: Object.fromEntries(
      peers.map((name) => [
        name,
        Object.fromEntries(
          results
            .filter(({ peer }) => peer === name)
            .map(({ benchmark, questions, ours, theirs, agreement, sameAnswers }) => {
              const figures = { ours, theirs, agreement, sameAnswers };
              const shown = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)]));
              return [benchmark, { questions, ...shown }];
            }),
        ),
      ]),
    ),
    // Of those that are read by one rule.
    largestDifference: rounded(Math.max(...alike.map(({ ours, theirs }) => Math.abs(ours - theirs)))),
    leastAgreement: rounded(Math.min(...alike.map(({ agreement }) => agreement))),
    readByAnotherRule: results
      .filter(({ differs }) => differs !== undefined)
      .map(({ peer, benchmark }) => `${peer} ${benchmark}`),
  };
}

export function table(results: readonly Result[]): string {
  const rows = results.map(({ peer, benchmark, questions, ours, theirs, agreement, sameAnswers }) => [
    ...[peer, benchmark, String(questions), ours.toFixed(2), theirs.toFixed(2)],
    ...[`${agreement.toFixed(1)} %`, `${sameAnswers.toFixed(1)} %`],
  ]);
  const head = ['program', 'benchmark', 'questions', 'ours', 'theirs', 'same verdicts', 'same answers'];
  return textTable(head, rows, { compact: true, textColumns: 2 });
}

/** Keeps the other programs' files, compressed, and the figures of both. */
export async function record(results: readonly Result[], about: Record<string, unknown>): Promise<void> {
  for (const peer of new Set(results.map((result) => result.peer))) {
    const folder = joinInside(fixtures, peer.toLowerCase());
    await rm(folder, { recursive: true, force: true });
    const own = results.filter((result) => result.peer === peer);
    for (const { benchmark, files } of own) {
      for (const file of files) {
        const name = basename(file).replace(/^.*_samples_.*$/, 'samples.jsonl');
        const packed = await promisify(gzip)(await readFile(file), { level: 9 });
        await writeFileAtomically(joinInside(folder, `${benchmark}/${name}.gz`), packed);
      }
    }
    const kept = own.map(({ key: _, files: __, ...result }) => result);
    await writeJson(joinInside(folder, 'results.json'), { ...about, results: kept });
  }
}
