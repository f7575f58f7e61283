import { readTextFile } from '../../src/core/read-json.ts';
import { escapeHtml, type Html } from '../../src/report/html.ts';
import { maxCommentLength, type PromptProgress, type SampleVerdict } from '../../workflows/prompt-messages.ts';
import type { ReviewedSample } from './review.ts';

const style = `
:root { color-scheme: light dark; --line: #9aa3af55; --good: #1a7f45; --bad: #b3361f; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem; font: 15px/1.5 system-ui, sans-serif; }
article { display: grid; grid-template-columns: minmax(12rem, 20rem) 1fr; gap: 1rem; padding: 1rem 0; border-top: 1px solid var(--line); }
img { max-width: 100%; } pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; font-size: .9rem; }
textarea { width: 100%; box-sizing: border-box; } button { padding: .3rem 1rem; margin-right: .5rem; }
.good, ins { color: var(--good); } .bad, del, .refused { color: var(--bad); } ins, del { text-decoration: none; }
`;

/** The page: the change of the prompt, each sample with its verdict, and what to do next. It needs no script. */
export async function reviewPage(input: {
  progress: PromptProgress;
  samples: readonly ReviewedSample[];
  refused?: string | undefined;
}): Promise<Html> {
  const { progress, samples, refused } = input;
  const { current, phase, verdicts, problem } = progress;
  const waits = phase === 'waiting for verdicts';
  const verdictOf = new Map(verdicts.map((verdict) => [verdict.sample, verdict]));
  const diff = current?.diffFile === undefined ? '' : coloredDiff(await readTextFile(current.diffFile));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
${waits || phase === 'done' ? '' : '<meta http-equiv="refresh" content="2">'}
<title>Prompt ${current?.iteration ?? 0}</title><style>${style}</style></head><body>
<h1>Prompt ${current?.iteration ?? 0}</h1>
<p>${escapeHtml(phase)}. ${escapeHtml(current?.promptFile ?? '')}</p>
${[problem, refused]
  .filter((text) => text !== undefined)
  .map((text) => `<p class="refused" role="alert">${escapeHtml(text)}</p>`)
  .join('')}
${diff}
${waits ? samples.map((sample) => article(sample, verdictOf.get(sample.id))).join('\n') : ''}
${waits ? decisionForm(current?.iteration ?? 0) : ''}
</body></html>
`;
}

function article(sample: ReviewedSample, verdict: SampleVerdict | undefined): Html {
  const said = verdict
    ? `<p class="${verdict.verdict}">Judged ${verdict.verdict}${verdict.comment ? `: ${escapeHtml(verdict.comment)}` : ''}</p>`
    : '';
  const dropped = sample.problem ? `<p class="bad">The filters would drop it (${escapeHtml(sample.problem)}).</p>` : '';
  return `<article id="${escapeHtml(sample.id)}">
<div><img src="image/${escapeHtml(sample.id)}" alt="image ${sample.image_id}"><p>${escapeHtml(sample.question_type)}, ${sample.images} image</p></div>
<div><pre>${escapeHtml(sample.answer)}</pre>${dropped}${said}
<form method="post"><input type="hidden" name="sample" value="${escapeHtml(sample.id)}">
<label>What is wrong, if it is bad <textarea name="comment" rows="2" maxlength="${maxCommentLength}">${escapeHtml(verdict?.comment ?? '')}</textarea></label>
<button name="verdict" value="good">Good</button><button name="verdict" value="bad">Bad</button></form>
<details><summary>The teacher's prompt</summary><pre>${escapeHtml(sample.prompt)}</pre></details></div>
</article>`;
}

function decisionForm(iteration: number): Html {
  return `<form method="post"><h2>What next?</h2>
<label>What the prompt should do besides <textarea name="comment" rows="2" maxlength="${maxCommentLength}"></textarea></label>
<button name="action" value="revise">Have the teacher revise it</button>
${iteration > 0 ? '<button name="action" value="accept">Accept this prompt</button>' : ''}
<button name="action" value="stop">Stop</button></form>`;
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
