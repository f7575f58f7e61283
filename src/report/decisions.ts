/** The decision about each round in words. */
import { describeComparison } from '../evaluation/describe-change.ts';
import { type Cell, type Html, table, withRange } from './html.ts';
import type { ReportRound } from './report-input.ts';

/** `built upon: gain of 5.7 points is significant (p 0.001, 759 questions)`; undefined where no gate has decided. */
export function decisionInWords({ gate }: ReportRound, level: number): string | undefined {
  if (gate === undefined) return undefined;
  const { accepted, by, comparison, comment, builtOn } = gate;
  if (by === 'first' || builtOn === undefined) return 'first round: nothing to compare it with';
  const why = comparison === undefined ? gate.reason : describeComparison(comparison, level);
  const who = deciders[by] ?? '';
  const words = comment ? ` “${comment}”;` : '';
  return `${accepted ? 'built upon' : 'set aside'}${who}:${words} ${why}`;
}

const deciders: Record<string, string> = {
  policy: ' by policy',
  person: ' by a person',
  default: ' by default, as nobody decided',
};

/** The last round that is built upon; the last round where no gate has decided. */
export function lastGoodRound(rounds: readonly ReportRound[]): ReportRound | undefined {
  return rounds.findLast(({ gate }) => gate?.accepted) ?? rounds.at(-1);
}

/** `+5.7`, against the round that it is built on. */
export function changeInPoints({ gate }: ReportRound): string {
  const { comparison } = gate ?? {};
  if (comparison === undefined || gate?.builtOn === undefined) return '–';
  const { rightBefore, rightNow, questions } = comparison.overall;
  return questions === 0 ? '–' : signed((100 * (rightNow - rightBefore)) / questions);
}

/** `+5.7` or `−0.4` */
export function signed(points: number, decimals = 1): string {
  const text = Math.abs(points).toFixed(decimals);
  return Number(text) === 0 ? text : `${points > 0 ? '+' : '−'}${text}`;
}

/**
 * Forgetting: a row per question type, a column per round. The cell `3 of 40 (round 1)` reads: of 40 questions that
 * round 1, the best earlier round, answered correctly, 3 are wrong now.
 */
export function forgettingTable(rounds: readonly ReportRound[]): Html {
  const watched = rounds.filter(({ forgotten }) => Object.keys(forgotten ?? {}).length > 0);
  const types = [...new Set(watched.flatMap(({ forgotten }) => Object.keys(forgotten ?? {})))].sort();
  if (types.length === 0) return '<p>No earlier round to compare with.</p>';
  const rows = types.map((type): Cell[] => [
    type,
    ...watched.map(({ forgotten }) => {
      const one = forgotten?.[type];
      return one === undefined ? '–' : withRange(`${one.lost} of ${one.right}`, `(round ${one.bestRound})`);
    }),
  ]);
  const all = watched.map(({ forgotten = {} }) => {
    const sum = (of: 'lost' | 'right') => Object.values(forgotten).reduce((total, one) => total + one[of], 0);
    return `${sum('lost')} of ${sum('right')}`;
  });
  return table(['Question type', ...watched.map(({ round }) => `Round ${round}`)], [...rows, ['All', ...all]]);
}
