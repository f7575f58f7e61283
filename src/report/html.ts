/** A piece of HTML whose texts are already escaped. */
export type Html = string;

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Makes any text safe between tags and inside quoted attributes. */
export function escapeHtml(text: string): Html {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** Escapes a sentence; numbers and what belongs to them stay on one line. */
export function sentenceHtml(text: string): Html {
  return escapeHtml(
    text
      .replace(/(\d) (%|→|points?\b|questions?\b|times\b)/g, '$1\u00a0$2')
      .replace(/\bp (< )?(\d)/g, (all) => all.replaceAll(' ', '\u00a0')),
  );
}

/** A cell of a table: a text, which is escaped, or HTML with what the column is aligned by. */
export type Cell = string | { html: Html; text: string; left?: boolean };

/** A figure, and below it what belongs to it in small print: `38.8 %` and `(35.8 to 41.8)`. */
export function withRange(figure: string, range: string): Cell {
  if (range === '') return figure;
  return { text: figure, html: `${escapeHtml(figure)} <span class="range">${escapeHtml(range)}</span>` };
}

/**
 * A table whose first column names the rows. Columns of figures are right-aligned, columns of texts left-aligned. Each cell
 * carries its column's head, which a narrow page shows beside it.
 */
export function table(head: string[], rows: Cell[][]): Html {
  const isFigures = head.map((_, column) => column > 0 && rows.every((row) => isFigure(row[column] ?? '')));
  const align = (column: number) => (isFigures[column] ? ' class="figure"' : '');
  const headCells = head.map((text, column) => `<th scope="col"${align(column)}>${escapeHtml(text)}</th>`).join('');
  const bodyRows = rows.map(([name = '', ...cells]) => {
    const figures = cells.map(
      (cell, index) => `<td${align(index + 1)} data-label="${escapeHtml(head[index + 1] ?? '')}">${htmlOf(cell)}</td>`,
    );
    // A number alone says nothing where the head is not beside it.
    const label = typeof name === 'string' && /^\d+$/.test(name) ? ` data-label="${escapeHtml(head[0] ?? '')}"` : '';
    return `<tr><th scope="row"${label}>${htmlOf(name)}</th>${figures.join('')}</tr>`;
  });
  // Wide tables scroll by themselves; what scrolls must be reachable by keyboard.
  return `<div class="scroll" tabindex="0" role="group" aria-label="Table: ${escapeHtml(head.filter(Boolean).join(', '))}"><table><thead><tr>${headCells}</tr></thead><tbody>${bodyRows.join('\n')}</tbody></table></div>`;
}

/** A part of the page that is shown when its summary is clicked. */
export function folded(summary: string, body: Html, options: { open?: boolean } = {}): Html {
  return `<details${options.open ? ' open' : ''}><summary>${escapeHtml(summary)}</summary>${body}</details>`;
}

function htmlOf(cell: Cell): Html {
  return typeof cell === 'string' ? escapeHtml(cell) : cell.html;
}

/** `–`, `1,234`, `+5.7`, `41.2 % (38.0 to 44.1)`, `1 min 35 s`, `12 of 180`, `1.50 USD` */
function isFigure(cell: Cell): boolean {
  if (typeof cell !== 'string' && cell.left) return false;
  const text = typeof cell === 'string' ? cell : cell.text;
  return text === '' || text === '–' || (/^[+−-]?\d/.test(text) && text.length <= 32);
}
