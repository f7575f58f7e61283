import type { Estimate } from '../statistics/bootstrap.ts';
import type { JudgeFigures } from './judge-figures.ts';

/** The figures of a judge in words, each with its 95 % interval, for a report and a terminal. */
export function describeJudge(figures: JudgeFigures): { label: string; text: string }[] {
  const { model, rubric, judged, unjudged, labelled, position, length, padding } = figures;
  return [
    {
      label: 'judge',
      text: `${model}, ${rubric}: ${judged} answers${unjudged > 0 ? `, ${unjudged} without a score` : ''}`,
    },
    {
      label: 'agreement with people',
      text:
        labelled === undefined
          ? 'not known: no answers are labelled'
          : `${percent(labelled.accuracy)} of ${labelled.count}, kappa ${decimal(labelled.kappa)}`,
    },
    ...(position === undefined
      ? []
      : [
          {
            label: 'the answer before the right ones',
            text: `${percent(position.flips)} of ${position.count} flip, score ${decimal(position.change, true)}`,
          },
        ]),
    ...(padding === undefined
      ? []
      : [
          {
            label: 'padded answers',
            text: `score ${padding.plain.value.toFixed(2)} becomes ${decimal(padding.padded)}, ${percent(padding.flips)} of ${padding.count} flip`,
          },
        ]),
    ...(length === undefined
      ? []
      : [{ label: 'score and length', text: `rank correlation ${decimal(length.correlation)} over ${length.count}` }]),
  ];
}

function percent({ value, low, high }: Estimate): string {
  const share = (number: number) => (100 * number).toFixed(1);
  return `${share(value)} % (${share(low)} to ${share(high)})`;
}

function decimal({ value, low, high }: Estimate, signed = false): string {
  const sign = signed && value > 0 ? '+' : '';
  return `${sign}${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}
