/** The table of steps as Markdown, which `npm run schema` writes into the pages that have its marks. */
import { rowOf, stepNames } from './steps.ts';

const begin = '<!-- steps:begin -->';
const end = '<!-- steps:end -->';

/** The page with the table between its marks; a page without marks as it is. */
export function withStepsTable(page: string): string {
  const start = page.indexOf(begin);
  const stop = page.indexOf(end, start);
  if (start < 0 || stop < 0) return page;
  return `${page.slice(0, start + begin.length)}\n${stepsTable()}\n${page.slice(stop)}`;
}

function stepsTable(): string {
  const lines = stepNames.map((name) => {
    const { queue, shards, firstRound, writes } = rowOf(name);
    const queues = shards === undefined || shards.queue === queue ? queue : `${shards.queue}, ${queue}`;
    return `| ${name} | ${queues.toUpperCase()} | ${firstRound} | ${writes} |`;
  });
  return ['| step | queue | from round | writes |', '| --- | --- | ---: | --- |', ...lines].join('\n');
}
