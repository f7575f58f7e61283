/**
 * Galleries of cards that the reader can filter. Without scripts: a choice in a list hides, by CSS alone, the cards that
 * do not have its class.
 */
import { escapeHtml, type Html } from './html.ts';

export interface Card {
  /** What it can be filtered by: `{ round: '1', 'question type': 'spatial' }`. */
  labels: Record<string, string>;
  /** Makes the card's content. Called only for cards that are shown. */
  content: () => Promise<Html>;
}

export interface Gallery {
  /** Names the gallery in the page: letters and hyphens. */
  id: string;
  cards: Card[];
  /** Shown instead when there are no cards. */
  whenEmpty: string;
  /** No further card is added once there are so many characters of HTML, to keep the page small. */
  maximumCharacters: number;
}

/** A gallery with a list of choices for each label. Of many cards it shows some of every combination of labels. */
export async function gallery({ id, cards, whenEmpty, maximumCharacters }: Gallery): Promise<Html> {
  if (cards.length === 0) return `<p>${escapeHtml(whenEmpty)}</p>`;
  const shown: { card: Card; html: Html }[] = [];
  let characters = 0;
  for (const card of spreadOverLabels(cards)) {
    const html = await card.content();
    characters += html.length;
    if (characters > maximumCharacters && shown.length > 0) break;
    shown.push({ card, html });
  }
  const filters = filtersOf(shown.map(({ card }) => card));
  const articles = shown.map(({ card, html }) => `<article class="${classesOf(card, filters)}">${html}</article>`);
  const count = `${shown.length.toLocaleString('en-US')} of ${cards.length.toLocaleString('en-US')}`;
  return `<div class="gallery" id="${id}">
<style>${filters.flatMap(({ choices }) => choices.map(({ name }) => hidingRule(id, name))).join('\n')}</style>
<div class="filters">${filters.map(filterList).join('\n')}<span>${count}</span></div>
<div class="cards" tabindex="0" role="group" aria-label="Cards">${articles.join('\n')}</div>
</div>`;
}

interface Filter {
  label: string;
  /** Each value with the class of its cards, and how many are shown. */
  choices: { value: string; name: string; count: number }[];
}

function filtersOf(cards: Card[]): Filter[] {
  const labels = [...new Set(cards.flatMap((card) => Object.keys(card.labels)))];
  return labels.map((label, index) => {
    const counts = new Map<string, number>();
    for (const { labels: own } of cards) {
      const value = own[label];
      if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const values = [...counts].sort(([left], [right]) => left.localeCompare(right, 'en', { numeric: true }));
    return {
      label,
      choices: values.map(([value, count], place) => ({ value, name: `is-${index}-${place}`, count })),
    };
  });
}

function classesOf({ labels }: Card, filters: Filter[]): string {
  return filters
    .flatMap(({ label, choices }) => choices.filter(({ value }) => value === labels[label]).map(({ name }) => name))
    .join(' ');
}

function hidingRule(id: string, name: string): string {
  return `#${id}:has(option[value="${name}"]:checked) article:not(.${name}) { display: none; }`;
}

function filterList({ label, choices }: Filter): Html {
  const options = choices.map(
    ({ value, name, count }) => `<option value="${name}">${escapeHtml(value)} (${count})</option>`,
  );
  // A browser that goes back to the page would keep the choice of the last visit.
  return `<label>${escapeHtml(label)} <select autocomplete="off"><option value="" selected>all</option>${options.join('')}</select></label>`;
}

/** One of each combination of labels in turn, so that a frequent one doesn't crowd out the others. */
function spreadOverLabels(cards: Card[]): Card[] {
  const seen = new Map<string, number>();
  const ranked = cards.map((card) => {
    const combination = JSON.stringify(Object.values(card.labels));
    const rank = seen.get(combination) ?? 0;
    seen.set(combination, rank + 1);
    return { card, rank };
  });
  return ranked.sort((left, right) => left.rank - right.rank).map(({ card }) => card);
}
