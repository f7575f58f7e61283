import { readTextFile } from '../../src/core/read-json.ts';
import { escapeHtml, type Html } from '../../src/report/html.ts';
import { maxCommentLength, type PromptProgress, type SampleVerdict } from '../../workflows/prompt-messages.ts';
import { decisionNotes, describePhase, describePrompt, describeRejection } from './explain.ts';
import { script, style } from './page-script.ts';
import type { ReviewedSample } from './review.ts';

/** The page: which prompt it is, its change, each sample with its verdict, and what to do next. It works without its script. */
export async function reviewPage(input: {
  progress: PromptProgress;
  samples: readonly ReviewedSample[];
  nonce: string;
  refused?: string | undefined;
  /** Why the workflow does not get on, and what it does about it. */
  waiting?: string | undefined;
}): Promise<Html> {
  const { progress, samples, nonce, refused, waiting } = input;
  const { current, phase, verdicts, problem } = progress;
  const iteration = current?.iteration ?? 0;
  const asks = phase === 'waiting for verdicts';
  const verdictOf = new Map(verdicts.map((verdict) => [verdict.sample, verdict]));
  const diff = current?.diffFile === undefined ? '' : coloredDiff(await readTextFile(current.diffFile));
  const paragraphs = [
    asks ? describePrompt(iteration) : '',
    describePhase(progress),
    current?.promptFile === undefined ? '' : `The prompt is in ${current.promptFile}`,
  ].filter((text) => text !== '');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
${asks || phase === 'done' ? '' : '<meta http-equiv="refresh" content="2">'}
<title>Prompt ${iteration}</title><style>${style}</style></head><body>
<h1>Prompt ${iteration}</h1>
${paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join('\n')}
${[problem, refused, waiting]
  .filter((text) => text !== undefined)
  .map((text) => `<p class="refused" role="alert">${escapeHtml(text)}</p>`)
  .join('')}
${diff}
${asks ? keysLine : ''}
${asks ? samples.map((sample, index) => article(sample, index, samples.length, verdictOf.get(sample.id))).join('\n') : ''}
${asks ? decisionForm(iteration) : ''}
${asks ? `<script nonce="${nonce}">${script}</script>` : ''}</body></html>
`;
}

const keysLine =
  '<p class="keys">Keys: <kbd>g</kbd> good, <kbd>b</kbd> bad (first what is wrong, then <kbd>Ctrl</kbd>+<kbd>Enter</kbd>), <kbd>j</kbd> and <kbd>k</kbd> next and previous sample, <kbd>p</kbd> its prompt, <kbd>n</kbd> what next, <kbd>Esc</kbd> leaves a text.</p>';

function article(sample: ReviewedSample, index: number, count: number, verdict: SampleVerdict | undefined): Html {
  const said = verdict
    ? `<p class="${verdict.verdict}">Judged ${verdict.verdict}${verdict.comment ? `: ${escapeHtml(verdict.comment)}` : ''}</p>`
    : '';
  const rejected = describeRejection(sample);
  const id = escapeHtml(sample.id);
  return `<article id="${id}" data-judged="${verdict?.verdict ?? ''}" aria-label="Sample ${index + 1} of ${count}">
<div><img src="image/${id}" alt="image ${escapeHtml(String(sample.image_id))}"><p>Sample ${index + 1} of ${count}: ${escapeHtml(sample.question_type)}, ${sample.images === 'same' ? 'an image of the first samples' : 'a new image'}</p></div>
<div><pre>${escapeHtml(sample.answer)}</pre>${rejected === undefined ? '' : `<p class="bad">${escapeHtml(rejected)}</p>`}${said}
<form method="post"><input type="hidden" name="sample" value="${id}">
<label>What is wrong, if it is bad <textarea name="comment" rows="2" maxlength="${maxCommentLength}">${escapeHtml(verdict?.comment ?? '')}</textarea></label>
<button name="verdict" value="good">Good</button><button name="verdict" value="bad">Bad</button></form>
<details><summary>The teacher's prompt</summary><pre>${escapeHtml(sample.prompt)}</pre></details></div>
</article>`;
}

function decisionForm(iteration: number): Html {
  const decision = (action: keyof typeof decisionNotes, label: string) =>
    `<button name="action" value="${action}">${label}</button><span>${decisionNotes[action]}</span>`;
  return `<form method="post" id="next"><h2>What next?</h2>
<label>What the prompt should do besides <textarea name="comment" rows="2" maxlength="${maxCommentLength}"></textarea></label>
<div class="next">${decision('revise', 'Have the teacher revise it')}
${iteration > 0 ? decision('accept', 'Accept this prompt') : ''}
${decision('stop', 'Stop')}</div></form>`;
}

function coloredDiff(diff: string): Html {
  const lines = diff
    .trimEnd()
    .split('\n')
    .map((line) => {
      const text = escapeHtml(line);
      return line.startsWith('+') ? `<ins>${text}</ins>` : line.startsWith('-') ? `<del>${text}</del>` : text;
    });
  return `<h2>What changed</h2><pre>${lines.join('\n')}</pre>`;
}
