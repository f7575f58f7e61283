import { escapeHtml, type Html } from './html.ts';
import { inlinePicture } from './pictures.ts';
import type { ReportBadCase, ReportGeneratedSample } from './report-input.ts';

type Card = Omit<ReportBadCase, 'chosen'> & { chosen?: number; rationale?: string };

// A run can have thousands of cases; these keep the page to a few megabytes.
const cardsPerRound = 24;

/** The questions that the model got wrong, a fold a round. */
export function badCaseGallery(badCases: ReportBadCase[]): Promise<Html> {
  return gallery(badCases, 'No bad cases.');
}

/** The samples that the rounds added, a fold a round. */
export function generatedGallery(generated: ReportGeneratedSample[]): Promise<Html> {
  return gallery(generated, 'No samples were generated yet.');
}

async function gallery(cards: Card[], whenEmpty: string): Promise<Html> {
  const rounds = [...new Set(cards.map(({ round }) => round))].sort((left, right) => left - right);
  if (rounds.length === 0) return `<p>${whenEmpty}</p>`;
  const folds: Html[] = [];
  for (const round of rounds) {
    const ofRound = cards.filter((card) => card.round === round);
    const shown = spreadOverTypes(ofRound, cardsPerRound);
    const open = round === rounds.at(-1) ? ' open' : '';
    const articles = await Promise.all(shown.map(article));
    folds.push(
      `<details${open}><summary>Round ${round}: ${shown.length} of ${ofRound.length}</summary>`,
      `<div class="cards">${articles.join('\n')}</div></details>`,
    );
  }
  return folds.join('\n');
}

// One of each type in turn, so that a frequent type doesn't crowd out the others.
function spreadOverTypes(cards: Card[], count: number): Card[] {
  const seen = new Map<string, number>();
  const ranked = cards.map((card) => {
    const rank = seen.get(card.questionType) ?? 0;
    seen.set(card.questionType, rank + 1);
    return { card, rank };
  });
  ranked.sort((left, right) => left.rank - right.rank);
  return ranked.slice(0, count).map(({ card }) => card);
}

async function article(card: Card): Promise<Html> {
  const choices = card.choices.map((choice, index) =>
    choiceLine(choice, index === card.correct, index === card.chosen),
  );
  const rationale = card.rationale === undefined ? '' : `<p class="rationale">${escapeHtml(card.rationale)}</p>`;
  return `<article>
${await inlinePicture(card.picture)}
<div><p class="type">${escapeHtml(card.questionType)}</p>
<p class="question">${escapeHtml(card.question)}</p>
<ol type="A">${choices.join('')}</ol>${rationale}</div>
</article>`;
}

function choiceLine(choice: string, isCorrect: boolean, isChosen: boolean): Html {
  if (isCorrect) return `<li class="correct">${escapeHtml(choice)} <span>✓ correct</span></li>`;
  if (isChosen) return `<li class="chosen">${escapeHtml(choice)} <span>✗ model’s answer</span></li>`;
  return `<li>${escapeHtml(choice)}</li>`;
}
