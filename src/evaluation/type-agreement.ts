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
