/** A piece of HTML whose texts are already escaped. */
export type Html = string;

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Makes any text safe between tags and inside quoted attributes. */
export function escapeHtml(text: string): Html {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** A table whose first column names the rows. Heads and cells are plain texts and escaped here. */
export function table(head: string[], rows: string[][]): Html {
  const headCells = head.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('');
  const bodyRows = rows.map(([name = '', ...cells]) => {
    const figures = cells.map((text) => `<td>${escapeHtml(text)}</td>`).join('');
    return `<tr><th scope="row">${escapeHtml(name)}</th>${figures}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${headCells}</tr></thead><tbody>${bodyRows.join('\n')}</tbody></table></div>`;
}
