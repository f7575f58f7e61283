import { emptyRecord } from '../core/records.ts';

/** How far two classifications of the same questions agree. */
export interface TypeAgreement {
  /** Questions that both have classified. */
  questions: number;
  agreed: number;
  /** agreed / questions, 0 to 1; 0 for none. */
  share: number;
  /** Agreement beyond chance, at most 1 (Cohen's kappa). */
  kappa: number;
  /** By the question type in the reference. */
  byType: Record<string, { questions: number; agreed: number }>;
  /** Differences, the most frequent first. */
  confusions: { reference: string; found: string; questions: number }[];
}

/** Compares question types by question id. */
export function typeAgreement(
  reference: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): TypeAgreement {
  const pairs = [...reference].flatMap(([id, type]) => {
    const other = found.get(id);
    return other === undefined ? [] : [{ type, other }];
  });
  const byType: TypeAgreement['byType'] = emptyRecord();
  const foundByType = new Map<string, number>();
  const confusions = new Map<string, TypeAgreement['confusions'][number]>();
  let agreed = 0;
  for (const { type, other } of pairs) {
    const counts = byType[type] ?? { questions: 0, agreed: 0 };
    byType[type] = counts;
    counts.questions += 1;
    foundByType.set(other, (foundByType.get(other) ?? 0) + 1);
    if (type === other) {
      agreed += 1;
      counts.agreed += 1;
    } else {
      const key = `${type}\n${other}`;
      const confusion = confusions.get(key) ?? { reference: type, found: other, questions: 0 };
      confusions.set(key, confusion);
      confusion.questions += 1;
    }
  }
  const questions = pairs.length;
  const share = questions === 0 ? 0 : agreed / questions;
  const chance = Object.entries(byType).reduce(
    (sum, [type, counts]) => sum + (counts.questions / questions) * ((foundByType.get(type) ?? 0) / questions),
    0,
  );
  return {
    questions,
    agreed,
    share,
    kappa: chance < 1 ? (share - chance) / (1 - chance) : share,
    byType: Object.fromEntries(Object.entries(byType).sort(([left], [right]) => (left < right ? -1 : 1))),
    confusions: [...confusions.values()].sort(
      (left, right) =>
        right.questions - left.questions ||
        `${left.reference} ${left.found}`.localeCompare(`${right.reference} ${right.found}`, 'en'),
    ),
  };
}

/**
 * Renames the types of a classification to those of the reference, each to one other at most, so that as many questions as can
 * be have the same type in both (the assignment problem, solved by the Hungarian method with potentials). Types of which none is
 * left get a name that the reference does not have.
 */
export function alignTypes(
  reference: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): Map<string, string> {
  const referenceTypes = [...new Set(reference.values())].sort();
  const foundTypes = [...new Set(found.values())].sort();
  const size = Math.max(referenceTypes.length, foundTypes.length);
  const together = foundTypes.map(() => referenceTypes.map(() => 0));
  for (const [id, type] of found) {
    const row = together[foundTypes.indexOf(type)];
    const column = referenceTypes.indexOf(reference.get(id) ?? '');
    if (row !== undefined && column >= 0) row[column] = (row[column] ?? 0) + 1;
  }
  const assigned = assign(size, (row, column) => -(together[row]?.[column] ?? 0));
  const names = new Map(
    foundTypes.map((type, row) => [type, referenceTypes[assigned[row] as number] ?? `${type} (no counterpart)`]),
  );
  return new Map([...found].map(([id, type]) => [id, names.get(type) as string]));
}

/** @returns row → column, of the assignment with the least cost */
function assign(size: number, costOf: (row: number, column: number) => number): number[] {
  // Rows and columns count from 1 here; column 0 holds the row that is being placed.
  const rowPotentials = new Float64Array(size + 1);
  const columnPotentials = new Float64Array(size + 1);
  const rowOf = new Int32Array(size + 1);
  for (let row = 1; row <= size; row += 1) {
    rowOf[0] = row;
    const cameFrom = new Int32Array(size + 1);
    const slack = new Float64Array(size + 1).fill(Number.POSITIVE_INFINITY);
    const isUsed = new Uint8Array(size + 1);
    let column = 0;
    do {
      isUsed[column] = 1;
      const current = rowOf[column] as number;
      let smallest = Number.POSITIVE_INFINITY;
      let next = 0;
      for (let other = 1; other <= size; other += 1) {
        if (isUsed[other]) continue;
        const reduced =
          costOf(current - 1, other - 1) - (rowPotentials[current] as number) - (columnPotentials[other] as number);
        if (reduced < (slack[other] as number)) {
          slack[other] = reduced;
          cameFrom[other] = column;
        }
        if ((slack[other] as number) < smallest) {
          smallest = slack[other] as number;
          next = other;
        }
      }
      for (let other = 0; other <= size; other += 1) {
        if (isUsed[other]) {
          const placed = rowOf[other] as number;
          rowPotentials[placed] = (rowPotentials[placed] as number) + smallest;
          columnPotentials[other] = (columnPotentials[other] as number) - smallest;
        } else {
          slack[other] = (slack[other] as number) - smallest;
        }
      }
      column = next;
    } while (rowOf[column] !== 0);
    while (column !== 0) {
      const previous = cameFrom[column] as number;
      rowOf[column] = rowOf[previous] as number;
      column = previous;
    }
  }
  const columns: number[] = [];
  for (let column = 1; column <= size; column += 1) columns[(rowOf[column] as number) - 1] = column - 1;
  return columns;
}
