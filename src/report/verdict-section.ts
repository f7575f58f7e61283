/**
 * The first screen of a report: what the run has gained, what each round decided, what it cost, and what stands out.
 */

import { formatSeconds } from '../core/durations.ts';
import { describeChange, verdictOn } from '../evaluation/describe-change.ts';
import { decisionInWords, lastGoodRound } from './decisions.ts';
import { findings } from './findings.ts';
import { type Cell, escapeHtml, type Html, sentenceHtml, table } from './html.ts';
import type { ReportInput, ReportRound } from './report-input.ts';
import { count, interval, lastRounds, mainScore, money, percent, secondsOf, sum } from './tables.ts';

const defaultLevel = 0.05;

/** The verdict, the run's figures, its rounds and what stands out. */
export function verdictSection(input: ReportInput): Html {
  const { rounds, ended, change, level = defaultLevel } = input;
  if (rounds.length === 0) return '<p class="verdict">No round has finished yet.</p>';
  const decisions = lastRounds(rounds, (some) => decisionTable(some, level));
  const sentences = findings({ rounds, ended, comparison: change?.comparison, level });
  const list = sentences.map(
    ({ sentence, about = '' }) => `<li><b>${escapeHtml(about)}</b>${sentenceHtml(sentence.slice(about.length))}</li>`,
  );
  const notable = list.length === 0 ? '<p>Nothing yet.</p>' : `<ul class="findings">${list.join('\n')}</ul>`;
  return `${verdict(input, level)}
${figures(input)}
<div class="halves"><div><h3>Rounds</h3>${decisions}</div><div><h3>What stands out</h3>${notable}</div></div>`;
}

/** `Better. …` in one or two sentences. */
function verdict({ rounds, change }: ReportInput, level: number): Html {
  const [first] = rounds as [ReportRound, ...ReportRound[]];
  const score = (round: ReportRound) => percent(mainScore(round).value);
  const { name } = mainScore(first);
  if (change === undefined) {
    const set = rounds.slice(1).filter(({ gate }) => gate?.accepted === false).length;
    const why =
      set === 0
        ? 'Round 0 is measured; no round of new data has finished yet.'
        : `No round of new data is built upon: ${set === 1 ? 'the one' : `all ${set}`} so far ${set === 1 ? 'was' : 'were'} set aside. The model is round 0’s.`;
    return `<p class="verdict"><strong>${score(first)}</strong> ${escapeHtml(`${name}. ${why}`)}</p>`;
  }
  const last = rounds.find(({ round }) => round === change.to) ?? first;
  const { word, mark } = verdicts[verdictOn(change.comparison.overall, level)];
  const test =
    first.test === undefined || last.test === undefined
      ? ''
      : ` On the test questions, which decide nothing: ${percent(first.test.mc)} → ${percent(last.test.mc)}.`;
  const text = `From round 0 to round ${change.to}, ${name} went from ${score(first)} to ${score(last)}: ${describeChange(change.comparison.overall, level)}.${test}`;
  return `<p class="verdict"><strong class="${mark}">${word}</strong> ${sentenceHtml(text)}</p>`;
}

const verdicts = {
  better: { word: 'Better.', mark: 'correct' },
  worse: { word: 'Worse.', mark: 'chosen' },
  unclear: { word: 'No clear change.', mark: '' },
} as const;

/** Score before and after, samples, tokens, cost, time. */
function figures({ rounds, ended }: ReportInput): Html {
  const all = [...rounds, ...(ended ? [ended] : [])];
  const [first] = rounds as [ReportRound, ...ReportRound[]];
  const last = lastGoodRound(rounds) ?? first;
  const scoreOf = (round: ReportRound) => {
    const score = mainScore(round);
    const range = score.low === undefined ? '' : `95 %: ${interval(score)}`;
    return [percent(score.value), range] as const;
  };
  const rejected = sum(all.flatMap(({ rejectedByReason }) => Object.values(rejectedByReason)));
  const costs = all.flatMap(({ cost }) => cost ?? []);
  const amount = sum(costs.map((one) => one.amount));
  const rows: (readonly [label: string, value: string, note: string])[] = [
    ['Round 0', ...scoreOf(first)],
    ...(last === first ? [] : [[`Round ${last.round}, the model now`, ...scoreOf(last)] as const]),
    ['Samples added', count(sum(rounds.map(({ samplesAdded }) => samplesAdded))), `${count(rejected)} rejected`],
    ['Teacher tokens', count(sum(all.map(({ teacherTokens }) => teacherTokens))), ''],
    ...(costs[0] === undefined
      ? []
      : [['Cost', money({ amount, currency: costs[0].currency }), 'of the teacher'] as const]),
    ['Time', formatSeconds(sum(all.map(secondsOf))), 'of work'],
  ];
  const cells = rows.map(
    ([label, value, note]) =>
      `<div><dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}</dd>${note === '' ? '' : `<dd class="note">${escapeHtml(note)}</dd>`}</div>`,
  );
  return `<dl class="figures">${cells.join('\n')}</dl>`;
}

/** A row per round: its score and interval, the change, the decision in words. */
function decisionTable(rounds: readonly ReportRound[], level: number): Html {
  const isScoredAlike = rounds.every(({ measure }) => measure === rounds[0]?.measure);
  const rows = rounds.map((round): Cell[] => {
    const score = mainScore(round);
    const range = score.low === undefined ? '' : ` (${interval(score)})`;
    return [String(round.round), `${percent(score.value)}${range}`, decision(round, level)];
  });
  const name = rounds[0]?.measure ?? 'MC';
  return table(['Round', isScoredAlike ? `${name} (95 %)` : 'Score (95 %)', 'Decision'], rows);
}

function decision(round: ReportRound, level: number): Cell {
  const text = decisionInWords(round, level);
  if (text === undefined) return 'not decided on';
  const [what = '', ...why] = text.split(':');
  const mark = round.gate?.builtOn === undefined ? '' : round.gate.accepted ? ' class="good"' : ' class="chosen"';
  const rest = why.length > 0 ? `:${why.join(':')}` : '';
  return { text, left: true, html: `<b${mark}>${escapeHtml(what)}</b>${sentenceHtml(rest)}` };
}
