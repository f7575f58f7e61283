/** The table of steps as Markdown, which `npm run schema` writes into the pages that have its marks. */
import { rowOf, stepNames } from './steps.ts';

/** The page with the table between its marks; a page without marks as it is. */
export function withStepsTable(page: string): string {
  return withSection(page, 'steps', stepsTable());
}

/** The page with a text between the marks `<!-- name:begin -->` and `<!-- name:end -->`; without marks as it is. */
export function withSection(page: string, name: string, text: string): string {
  const begin = `<!-- ${name}:begin -->`;
  const start = page.indexOf(begin);
  const stop = page.indexOf(`<!-- ${name}:end -->`, start);
  if (start < 0 || stop < 0) return page;
  return `${page.slice(0, start + begin.length)}\n${text}\n${page.slice(stop)}`;
}

function stepsTable(): string {
  const lines = stepNames.map((name) => {
    const { queue, shards, firstRound, writes } = rowOf(name);
    const queues = shards === undefined || shards.queue === queue ? queue : `${shards.queue}, ${queue}`;
    return `| ${name} | ${queues.toUpperCase()} | ${firstRound} | ${writes} |`;
  });
  return ['| step | queue | from round | writes |', '| --- | --- | ---: | --- |', ...lines].join('\n');
}
