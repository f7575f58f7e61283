import { writeFileAtomically } from '../core/write-file.ts';
import { escapeHtml } from './html.ts';
import { inlineImage } from './inline-image.ts';
import { page } from './page.ts';
import { choiceLine } from './sample-galleries.ts';

/** A sample to show. */
export interface ShownSample {
  /** None for words alone. */
  image?: string | undefined;
  answer: string;
  questionType?: string;
  question?: string;
  choices?: readonly string[] | undefined;
  correct?: number | undefined;
}

/** Writes one self-contained page with samples of each dataset: image, question, choices, the correct one marked. */
export async function writeSamplePage(
  file: string,
  title: string,
  datasets: readonly { name: string; samples: readonly ShownSample[] }[],
): Promise<void> {
  const sections = [];
  for (const { name, samples } of datasets) {
    const cards: string[] = [];
    // One after another: decoding hundreds of photos at once would take too much memory.
    for (const sample of samples) cards.push(await card(sample));
    sections.push({ title: name, body: `<div class="cards">${cards.join('\n')}</div>` });
  }
  await writeFileAtomically(file, page(title, sections));
}

async function card({ image, answer, questionType, question, choices, correct }: ShownSample): Promise<string> {
  const lines = (choices ?? []).map((choice, index) => choiceLine(choice, index === correct, false));
  const text =
    question === undefined
      ? `<p>${escapeHtml(answer)}</p>`
      : `<p class="question">${escapeHtml(question)}</p>${choices === undefined ? `<p>${escapeHtml(answer)}</p>` : `<ol type="A">${lines.join('')}</ol>`}`;
  const type = questionType === undefined ? '' : `<p class="type">${escapeHtml(questionType)}</p>`;
  return `<article>${image === undefined ? '' : await inlineImage(image)}<div>${type}${text}</div></article>`;
}
