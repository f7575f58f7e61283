import { LETTERS } from '../../src/datasets/question-text.ts';
import { escapeHtml, type Html } from '../../src/report/html.ts';
import { editOf } from '../../src/round/review/check-edit.ts';
import { maxReviewComment, type SampleEdit } from '../../src/round/review/decisions.ts';
import { type ReviewedSample, reviewCounts } from '../../src/round/review/open-review.ts';

const style = `
:root { color-scheme: light dark; --line: #9aa3af55; --good: #1a7f45; --bad: #b3361f; }
body { margin: 0 auto; max-width: 64rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; }
main { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1.5rem; }
@media (max-width: 45rem) { main { grid-template-columns: minmax(0, 1fr); } }
img { max-width: 100%; max-height: 70vh; } h1 { font-size: 1.2rem; margin: .2rem 0; }
li { overflow-wrap: anywhere; } li.right { font-weight: 600; color: var(--good); }
p { overflow-wrap: anywhere; } nav a { margin-right: 1rem; }
textarea, input[type=text] { width: 100%; box-sizing: border-box; font: inherit; }
button { font: inherit; padding: .5rem 1.2rem; margin: .3rem .5rem .3rem 0; }
.choice { display: flex; gap: .5rem; align-items: center; margin: .3rem 0; }
.keep, .edit { color: var(--good); } .reject, .refused { color: var(--bad); }
`;

/** The keys of the page; they do nothing while somebody types. */
const script = `
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(TEXTAREA|INPUT|SELECT)$/.test(event.target.tagName)) return;
  const target = document.querySelector('[data-key="' + event.key.toLowerCase() + '"]');
  if (!target) return;
  event.preventDefault();
  if (target.tagName === 'DETAILS') { target.open = true; target.querySelector('textarea').focus(); }
  else target.click();
});`;

/** What a form was refused for, with what was typed. */
export interface RefusedForm {
  field: string;
  problem: string;
  edited?: SampleEdit | undefined;
}

/** A sample with its image, its decision and the buttons to decide; the keys k, r, e and the arrows do the same. */
export function samplePage(input: {
  round: number;
  samples: readonly ReviewedSample[];
  /** Place of the sample that is shown; beyond the last one when all are decided. */
  place: number;
  nonce: string;
  refused?: RefusedForm | undefined;
}): Html {
  const { round, samples, place, nonce, refused } = input;
  const { kept, edited, rejected, undecided } = reviewCounts(samples);
  const shown = samples[place];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Samples of round ${round}</title><style>${style}</style></head><body>
<h1>Samples of round ${round}</h1>
<p>${undecided} of ${samples.length} left; ${kept} kept, ${edited} edited, ${rejected} rejected</p>
${shown === undefined ? allDecided(undecided) : sampleParts(samples, place, shown, refused)}
<script nonce="${nonce}">${script}</script></body></html>
`;
}

function allDecided(undecided: number): Html {
  return `<p>${undecided === 0 ? 'All samples are decided. The command has ended.' : 'No such sample.'} <a href="./?sample=1">Look at the first one</a></p>`;
}

function sampleParts(
  samples: readonly ReviewedSample[],
  place: number,
  { key, sample, decision }: ReviewedSample,
  refused: RefusedForm | undefined,
): Html {
  const { question_type, image_id } = sample;
  const trained = decision?.edited ?? editOf(sample);
  const said = decision
    ? `<p class="${decision.decision}">Decided: ${decision.decision}, by ${escapeHtml(decision.by)}${decision.comment ? `: ${escapeHtml(decision.comment)}` : ''}</p>`
    : '';
  const problem = refused
    ? `<p class="refused" role="alert">${escapeHtml(`${refused.field}: ${refused.problem}`)}</p>`
    : '';
  return `<nav>${place > 0 ? `<a data-key="arrowleft" href="./?sample=${place}">← Earlier</a>` : ''}
<span>${place + 1} of ${samples.length}</span>
${place + 1 < samples.length ? `<a data-key="arrowright" href="./?sample=${place + 2}">Later →</a>` : ''}</nav>
${said}${problem}
<main><div><img src="image/${key}" alt="image ${escapeHtml(String(image_id))}"><p>${escapeHtml(question_type)}</p></div>
<div><p id="question">${escapeHtml(trained.question)}</p>
<ol type="A">${trained.choices.map((choice, index) => `<li${index === trained.correct ? ' class="right"' : ''}>${escapeHtml(choice)}</li>`).join('')}</ol>
${trained.answer === undefined ? '' : `<p class="keep">${escapeHtml(trained.answer)}</p>`}
<p>${escapeHtml(trained.explanation)}</p>
<form method="post"><input type="hidden" name="sample" value="${key}">
<button data-key="k" name="decision" value="keep">Keep (k)</button><button data-key="r" name="decision" value="reject">Reject (r)</button>
<label>Why <input type="text" name="comment" maxlength="${maxReviewComment}" value="${escapeHtml(decision?.comment ?? '')}"></label></form>
<details data-key="e"${refused?.edited ? ' open' : ''}><summary>Edit (e)</summary>${editForm(key, refused?.edited ?? trained)}</details></div></main>`;
}

function editForm(key: string, { question, choices, correct, answer, explanation }: SampleEdit): Html {
  const rows = choices.map(
    (choice, index) =>
      `<div class="choice"><input type="radio" name="correct" value="${index}" aria-label="${LETTERS[index]} is right"${index === correct ? ' checked' : ''}>
<input type="text" name="choice${index}" aria-label="choice ${LETTERS[index]}" value="${escapeHtml(choice)}"></div>`,
  );
  return `<form method="post"><input type="hidden" name="sample" value="${key}">
<label>Question <textarea name="question" rows="3">${escapeHtml(question)}</textarea></label>
${
  answer === undefined
    ? `<fieldset><legend>Choices, and the right one</legend>${rows.join('\n')}</fieldset>`
    : `<label>Answer <input type="text" name="answer" value="${escapeHtml(answer)}"></label>`
}
<label>Explanation <textarea name="explanation" rows="4">${escapeHtml(explanation)}</textarea></label>
<button name="decision" value="edit">Keep as edited</button></form>`;
}
