import { escapeHtml, type Html } from './html.ts';

/** A section of the page with a heading. */
export interface Section {
  title: string;
  body: Html;
}

// The policy makes the browser refuse anything from outside the file.
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

const style = `
:root { color-scheme: light dark; --ground: #fff; --card: #f5f6f8; --ink: #1d2129; --soft: #5b6472; --line: #d8dce2; --good: #1a7f45; --bad: #b3361f; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --card: #1f242c; --ink: #e6e9ee; --soft: #a0a9b6; --line: #363d48; --good: #5fce8e; --bad: #ff8f78; }
}
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
th { font-weight: 600; } th:first-child, .settings td { text-align: left; } .settings thead { display: none; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem 2rem; } figure { margin: 0; max-width: 100%; overflow-x: auto; }
figcaption { font-weight: 600; margin-bottom: .5rem; }
summary { cursor: pointer; padding: .4rem 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: 1rem; }
article { display: flex; gap: .8rem; align-items: flex-start; padding: .8rem; border-radius: .5rem; background: var(--card); overflow-wrap: anywhere; }
article img, .no-image { flex: none; max-width: 160px; border-radius: .3rem; } .no-image { width: 160px; height: 120px; background: #888; }
article p { margin: 0 0 .4rem; } article ol { margin: 0 0 .4rem; padding-left: 1.5rem; }
.type, .rationale, li span { color: var(--soft); font-size: .85rem; } .question { font-weight: 600; }
article pre { white-space: pre-wrap; margin: 0; color: var(--soft); font-size: .8rem; } .by-round span { white-space: nowrap; margin-right: .5rem; font-size: .85rem; }
.filters { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; margin: 0 0 1rem; align-items: baseline; color: var(--soft); } select { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: .3rem; padding: .2rem; max-width: 16rem; }
.lineage text { fill: var(--ink); } .lineage path, .lineage polygon { stroke: var(--soft); } .lineage .edge polygon { fill: var(--soft); } .lineage .scores path { stroke: var(--good); stroke-width: 2; }
.gallery .cards { max-height: 46rem; overflow-y: auto; overscroll-behavior: auto; border: 1px solid var(--line); border-radius: .5rem; padding: .8rem; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; } a { color: inherit; }
.correct, .correct span { color: var(--good); } .chosen, .chosen span { color: var(--bad); }
`;

/** The whole document, self-contained: no script, no address, the style inside. */
export function page(title: string, sections: Section[]): Html {
  const id = (section: Section) => section.title.toLowerCase().replace(/[^a-z]+/g, '-');
  const links = sections.map((section) => `<a href="#section-${id(section)}">${escapeHtml(section.title)}</a>`);
  const body = sections.map(
    (section) =>
      `<section id="section-${id(section)}"><h2>${escapeHtml(section.title)}</h2>\n${section.body}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<nav>${links.join('\n')}</nav>
${body.join('\n')}
</body>
</html>
`;
}
