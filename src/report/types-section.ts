/** Question types: how wrong the model is at each, what was drawn for it, and what that gained. */
import { valueIn } from '../core/records.ts';
import { forgettingTable, lastGoodRound, signed } from './decisions.ts';
import { questionsOf } from './findings.ts';
import { type Cell, folded, type Html, table } from './html.ts';
import type { ReportInput, ReportRound } from './report-input.ts';
import { count, detailsOfLast, roundsShown, sum } from './tables.ts';

/** Errors by type and round as a heat map, then what each round drew, then what was forgotten. */
export function typesSection({ rounds, change }: ReportInput): Html {
  if (rounds.length === 0) return '<p>Nothing to show yet.</p>';
  const drawn = rounds
    .flatMap((round, place) =>
      Object.keys(round.sampledByType).length === 0 ? [] : [{ round, before: rounds[place - 1] }],
    )
    .slice(-roundsShown);
  const draws = drawn
    .map(({ round, before }, place) =>
      folded(`Round ${round.round}: weights, what was sampled, and what it gained`, drawTable(round, before), {
        open: place === drawn.length - 1,
      }),
    )
    .reverse();
  const earlier = draws.length < 3 ? draws.slice(1).join('') : folded('Earlier rounds', draws.slice(1).join('\n'));
  return `<h3>Share of wrong answers on the validation questions</h3>${change === undefined ? '' : `<p class="note">Change: of the error from round 0 to round ${change.to}, in points.</p>`}
${detailsOfLast(rounds, (some) => errorTable(some, rounds, change?.comparison))}
${draws.length === 0 ? '' : `<h3>What was asked of the teacher</h3>${draws[0]}${earlier}`}
<h3>Forgotten</h3><p class="note">Of the questions that the best earlier round answered correctly, those that are wrong now.</p>
${forgettingTable(rounds.slice(-roundsShown))}`;
}

type Comparison = NonNullable<ReportInput['change']>['comparison'];

/** A row per question type, the worst first; a shaded column per round. */
function errorTable(shown: readonly ReportRound[], rounds: readonly ReportRound[], comparison?: Comparison): Html {
  const last = lastGoodRound(rounds);
  const types = [...new Set(rounds.flatMap(({ validation }) => Object.keys(validation.errorByType)))];
  const now = (type: string) => valueIn(last?.validation.errorByType, type) ?? -1;
  types.sort((left, right) => now(right) - now(left) || left.localeCompare(right, 'en'));
  const requests = (type: string) => sum(rounds.map(({ sampledByType }) => valueIn(sampledByType, type) ?? 0));
  const hasRequests = rounds.some(({ sampledByType }) => Object.keys(sampledByType).length > 0);
  const head = [
    'Question type',
    'Questions',
    ...shown.map(({ round }) => `Round ${round}`),
    ...(comparison === undefined ? [] : ['Change']),
    ...(hasRequests ? ['Sampled'] : []),
  ];
  const rows = types.map((type): Cell[] => {
    const pair = valueIn(comparison?.byType, type);
    const questions = pair?.questions ?? questionsOf(last, type);
    return [
      type,
      questions === undefined ? '–' : count(questions),
      ...shown.map(({ validation }) => heat(valueIn(validation.errorByType, type))),
      ...(comparison === undefined
        ? []
        : [pair === undefined ? '–' : signed((100 * (pair.lost - pair.won)) / pair.questions)]),
      ...(hasRequests ? [count(requests(type))] : []),
    ];
  });
  return `<div class="heat">${table(head, rows)}</div>`;
}

/** A share of wrong answers, shaded from white at 0. */
function heat(share: number | undefined): Cell {
  if (share === undefined) return '–';
  const text = `${(100 * share).toFixed(0)} %`;
  return { text, html: `<span style="--share:${share.toFixed(3)}">${text}</span>` };
}

/** For one round: each type's share of the weights and of the requests drawn, and how many points its error fell. */
function drawTable({ weights, sampledByType, validation }: ReportRound, before: ReportRound | undefined): Html {
  const types = [...new Set([...Object.keys(weights), ...Object.keys(sampledByType)])];
  const [allWeights, allDrawn] = [sum(Object.values(weights)), sum(Object.values(sampledByType))];
  const share = (of: Record<string, number>, type: string, all: number) =>
    all === 0 ? 0 : (valueIn(of, type) ?? 0) / all;
  types.sort(
    (left, right) => share(weights, right, allWeights) - share(weights, left, allWeights) || left.localeCompare(right),
  );
  const most = Math.max(
    ...types.flatMap((type) => [share(weights, type, allWeights), share(sampledByType, type, allDrawn)]),
  );
  const rows = types.map((type): Cell[] => {
    const [now, earlier] = [valueIn(validation.errorByType, type), valueIn(before?.validation.errorByType, type)];
    return [
      type,
      bar(share(weights, type, allWeights), most),
      bar(share(sampledByType, type, allDrawn), most),
      count(valueIn(sampledByType, type) ?? 0),
      now === undefined || earlier === undefined ? '–' : signed((earlier - now) * 100),
    ];
  });
  return table(
    ['Question type', 'Share of weights', 'Share of requests', 'Requests', 'Error fell by, in points'],
    rows,
  );
}

function bar(share: number, most: number): Cell {
  const text = `${(100 * share).toFixed(1)} %`;
  const width = most === 0 ? 0 : share / most;
  return {
    text,
    left: true,
    html: `<span class="share">${text}</span><span class="bar" style="--share:${width.toFixed(3)}"></span>`,
  };
}
