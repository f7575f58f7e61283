import { escapeHtml, type Html, table } from './html.ts';
import type { ReportRound } from './report-input.ts';

/** Which rounds are built upon, and why; without rounds that no gate has decided on. */
export function decisionsTable(rounds: ReportRound[]): Html {
  const judged = rounds.flatMap(({ round, gate }) => (gate === undefined ? [] : [{ round, gate }]));
  if (judged.length === 0) return '<p>No round was decided on.</p>';
  const rows = judged.map(({ round, gate }) => [
    String(round),
    gate.builtOn === undefined ? '–' : `round ${gate.builtOn}`,
    gate.builtOn === undefined ? '–' : `${gate.change >= 0 ? '+' : '−'}${Math.abs(gate.change * 100).toFixed(1)}`,
    gate.pValue === undefined ? '–' : gate.pValue.toPrecision(2),
    gate.accepted ? 'built upon' : 'set aside',
    deciders[gate.by] ?? gate.by,
    [gate.reason, ...(gate.comment ? [`“${gate.comment}”`] : [])].join(' '),
  ]);
  const head = ['Round', 'Built on', 'Change in points', 'p of worse', 'Decision', 'By', 'Why'];
  const stops = judged.flatMap(({ round, gate }) =>
    gate.stop === undefined ? [] : [`<p>The run ended with round ${round}: ${escapeHtml(gate.stop)}.</p>`],
  );
  return table(head, rows) + stops.join('');
}

const deciders: Record<string, string> = {
  first: 'the first round',
  policy: 'policy',
  test: 'paired tests',
  person: 'a person',
  default: 'default, as nobody decided',
};

/**
 * Forgetting: a row per question type, a column per round. The cell `3 of 40 (round 1)` reads: of 40 questions that
 * round 1, the best earlier round, answered correctly, 3 are wrong now.
 */
export function forgettingTable(rounds: ReportRound[]): Html {
  const watched = rounds.filter(({ forgotten }) => Object.keys(forgotten ?? {}).length > 0);
  const types = [...new Set(watched.flatMap(({ forgotten }) => Object.keys(forgotten ?? {})))].sort();
  if (types.length === 0) return '<p>No earlier round to compare with.</p>';
  const rows = types.map((type) => [
    type,
    ...watched.map(({ forgotten }) => {
      const one = forgotten?.[type];
      return one === undefined ? '–' : `${one.lost} of ${one.right} (round ${one.bestRound})`;
    }),
  ]);
  const all = watched.map(({ forgotten = {} }) => {
    const sum = (of: 'lost' | 'right') => Object.values(forgotten).reduce((total, one) => total + one[of], 0);
    return `${sum('lost')} of ${sum('right')}`;
  });
  return table(['Question type', ...watched.map(({ round }) => `Round ${round}`)], [...rows, ['All', ...all]]);
}
