import { escapeHtml, type Html } from './html.ts';
import { style } from './style.ts';

/** A section of the page with a heading. */
export interface Section {
  title: string;
  body: Html;
}

// The policy makes the browser refuse anything from outside the file.
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/**
 * The whole document, self-contained: no script, no address, the style inside.
 *
 * @param options.standing a few words beside the title
 * @param options.opening what is seen first, above the sections
 */
export function page(
  title: string,
  sections: Section[],
  { standing = '', opening = '' }: { standing?: string; opening?: Html } = {},
): Html {
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
<header><h1>${escapeHtml(title)}</h1>${standing === '' ? '' : `<p class="note">${escapeHtml(standing)}</p>`}</header>
<nav aria-label="Sections">${links.join('\n')}</nav>
<main>
${opening === '' ? '' : `<section id="verdict" aria-label="Verdict">${opening}</section>`}
${body.join('\n')}
</main>
</body>
</html>
`;
}
