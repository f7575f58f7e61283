import { instance } from '@viz-js/viz';
import { escapeHtml, folded, type Html, table } from './html.ts';
import type { ReportLineage } from './report-input.ts';

/** Older rounds are left out: the graph would be too wide to read. */
const ROUNDS_SHOWN = 6;

/**
 * Draws what was made from what, left to right, with a box per round. Graphviz does the layout; colors are the page's.
 */
export async function lineageGraph({ nodes, edges }: ReportLineage): Promise<Html> {
  if (nodes.length === 0) return '<p>Nothing yet.</p>';
  const rounds = [...new Set(nodes.flatMap(({ round }) => (round === undefined ? [] : [round])))].sort((a, b) => a - b);
  const shownRounds = rounds.slice(-ROUNDS_SHOWN);
  const shown = nodes.filter(({ round }) => round === undefined || shownRounds.includes(round));
  const ids = new Set(shown.map(({ id }) => id));
  const drawn = ({ id, kind, details }: ReportLineage['nodes'][number]) => ({
    name: id,
    attributes: { label: [kind, ...details].join('\n'), class: kind.replaceAll(' ', '-') },
  });
  const viz = await instance();
  const svg = viz.renderString(
    {
      graphAttributes: { rankdir: 'LR', nodesep: 0.15, ranksep: 0.3, bgcolor: 'transparent' },
      nodeAttributes: { shape: 'box', style: 'rounded', fontsize: 10, fontname: 'sans-serif', margin: '0.22,0.07' },
      edgeAttributes: { arrowsize: 0.6 },
      nodes: shown.filter(({ round }) => round === undefined).map(drawn),
      edges: edges
        .filter(({ from, to }) => ids.has(from) && ids.has(to))
        .map(({ from, to }) => ({ tail: from, head: to })),
      subgraphs: shownRounds.map((round) => ({
        name: `cluster_${round}`,
        graphAttributes: { label: `round ${round}`, fontsize: 10, fontname: 'sans-serif', style: 'rounded' },
        nodes: shown.filter((node) => node.round === round).map(drawn),
      })),
    },
    { format: 'svg' },
  );
  const left = rounds.length - shownRounds.length;
  const note = left > 0 ? `<p>The last ${ROUNDS_SHOWN} rounds; ${left} before them.</p>` : '';
  const drawing = inHtml(svg).replace(
    '<svg',
    '<svg role="img" aria-label="What was made from what; the table below says the same"',
  );
  const graph = `<div class="wide"><div class="scroll lineage" tabindex="0" role="group" aria-label="Graph">${drawing}</div></div>`;
  const asTable = lineageTable(shown, edges);
  return `${note}${graph}<div class="wide">${folded('As a table', asTable)}</div><div class="narrow">${asTable}</div>`;
}

/** A row per node, with what it was made from: what the graph says, for a narrow page and for who can't see it. */
function lineageTable(nodes: ReportLineage['nodes'], edges: ReportLineage['edges']): Html {
  const nameOf = new Map(nodes.map(({ id, kind, round }) => [id, round === undefined ? kind : `${kind} ${round}`]));
  const rows = nodes.map(({ id, details }) => [
    nameOf.get(id) ?? '',
    details.filter((detail) => detail !== '').join(', '),
    edges
      .filter(({ to }) => to === id)
      .flatMap(({ from }) => nameOf.get(from) ?? [])
      .join(', '),
  ]);
  return table(['What', 'Figures', 'Made from'], rows);
}

/** Removes prolog, comments, namespaces and the tooltips that repeat each node's id. */
function inHtml(svg: string): Html {
  const start = svg.indexOf('<svg');
  if (start === -1) throw new Error(`Graphviz drew no SVG: ${escapeHtml(svg.slice(0, 200))}`);
  return svg
    .slice(start)
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/<title>[\s\S]*?<\/title>/g, '')
    .replace(/ xmlns(:\w+)?="[^"]*"/g, '');
}
