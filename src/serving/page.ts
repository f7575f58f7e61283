/** The page to try a model: drop an image, ask, and see the tokens come. */
import { randomBytes } from 'node:crypto';
import type { Html } from '../report/html.ts';

export const newNonce = (): string => randomBytes(16).toString('base64');

/** It runs its own script only, and sends nothing to any server but its own. */
export const pageHeaders = (nonce: string) => ({
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    'img-src blob: data:',
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'same-origin',
});

const style = `
:root { color-scheme: light dark; --line: #7a8494; --bad: #b3361f; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff9a85; } }
body { margin: 0 auto; max-width: 46rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.2rem; } label { display: block; margin: .7rem 0 .2rem; }
textarea, select, input { width: 100%; box-sizing: border-box; font: inherit; }
button { font: inherit; padding: .5rem 1.2rem; margin: .7rem .5rem .3rem 0; }
#drop { border: 2px dashed var(--line); border-radius: .5rem; padding: 1rem; margin: .7rem 0; }
#drop.over { border-style: solid; } #drop label { margin-top: 0; }
#shown { display: block; max-width: 100%; max-height: 20rem; } [hidden] { display: none !important; }
#answer { white-space: pre-wrap; overflow-wrap: anywhere; min-height: 3rem; border-left: 3px solid var(--line); padding-left: 1rem; }
#problem { color: var(--bad); }`;

const script = `
const at = (id) => document.getElementById(id);
let image, reading;
const headers = () => (at('key').value ? { authorization: 'Bearer ' + at('key').value } : {});
const problem = (text) => { at('problem').textContent = text; };
const textOf = async (response) => (await response.json().catch(() => undefined))?.error?.message ?? 'HTTP ' + response.status;

async function listModels() {
  const response = await fetch('v1/models', { headers: headers() });
  at('locked').open = response.status === 401;
  if (!response.ok) return problem(await textOf(response));
  problem('');
  const { data } = await response.json();
  at('model').replaceChildren(...data.map(({ id }) => new Option(id, id)));
}

async function show(file) {
  if (!file) return;
  const read = new FileReader();
  await new Promise((resolve) => { read.onloadend = resolve; read.readAsDataURL(file); });
  if (!/^data:image\\//.test(read.result ?? '')) return problem('This is not an image');
  problem('');
  image = read.result;
  URL.revokeObjectURL(at('shown').src);
  at('shown').src = URL.createObjectURL(file);
  at('shown').alt = file.name;
  at('shown').hidden = at('remove').hidden = false;
}

async function ask() {
  problem('');
  at('answer').textContent = '';
  at('state').textContent = 'Answering';
  reading = new AbortController();
  at('ask').disabled = true;
  at('stop').disabled = false;
  // With the line break of questions in training, as \`dataengine ask\` asks.
  const text = { type: 'text', text: at('question').value + '\\n' };
  const content = image ? [{ type: 'image_url', image_url: { url: image } }, text] : [text];
  const body = { model: at('model').value, messages: [{ role: 'user', content }], stream: true, temperature: Number(at('temperature').value) };
  try {
    const response = await fetch('v1/chat/completions', {
      method: 'POST', signal: reading.signal, headers: { ...headers(), 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(await textOf(response));
    let rest = '', finish;
    const decoder = new TextDecoder();
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      const events = (rest + decoder.decode(value, { stream: true })).split('\\n\\n');
      rest = events.pop();
      for (const event of events) {
        if (event === 'data: [DONE]') continue;
        const piece = JSON.parse(event.slice(6));
        if (piece.error) throw new Error(piece.error.message);
        at('answer').append(piece.choices[0]?.delta.content ?? '');
        finish = piece.choices[0]?.finish_reason ?? finish;
      }
    }
    at('state').textContent = finish === 'length' ? 'Cut at the longest answer' : finish ? 'Done' : 'The answer broke off';
  } catch (error) {
    at('state').textContent = reading.signal.aborted ? 'Stopped' : 'Failed';
    if (!reading.signal.aborted) problem(error.message);
  } finally {
    at('ask').disabled = false;
    at('stop').disabled = true;
  }
}

at('file').addEventListener('change', () => show(at('file').files[0]));
at('remove').addEventListener('click', () => {
  image = undefined;
  at('file').value = '';
  at('shown').hidden = at('remove').hidden = true;
  at('file').focus();
});
const over = (is) => (event) => { event.preventDefault(); at('drop').classList.toggle('over', is); };
addEventListener('dragover', over(true));
addEventListener('dragleave', over(false));
addEventListener('drop', (event) => { over(false)(event); show(event.dataTransfer.files[0]); });
addEventListener('paste', (event) => show(event.clipboardData.files[0]));
at('form').addEventListener('submit', (event) => { event.preventDefault(); ask(); });
at('stop').addEventListener('click', () => reading.abort());
at('key').addEventListener('change', listModels);
listModels().catch((error) => problem(error.message));`;

/** The page; it asks for the names of the models itself, with the key where one is needed. */
export function chatPage(nonce: string): Html {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>Ask a model</title><style nonce="${nonce}">${style}</style></head><body>
<main><h1>Ask a model</h1>
<form id="form">
<details id="locked"><summary>Key</summary><label for="key">Key of this server</label><input id="key" type="password" autocomplete="off"></details>
<label for="model">Model</label><select id="model"></select>
<div id="drop"><label for="file">Image: drop it here, paste it, or choose a file</label><input id="file" type="file" accept="image/*">
<img id="shown" alt="" hidden><button id="remove" type="button" hidden>Remove the image</button></div>
<label for="question">Question</label><textarea id="question" rows="3" required></textarea>
<label for="temperature">Temperature (0: always the likeliest word)</label><input id="temperature" type="number" min="0" max="2" step="0.1" value="0" required>
<button id="ask">Ask</button><button id="stop" type="button" disabled>Stop</button>
</form>
<p id="problem" role="alert"></p>
<h2 id="heading">Answer</h2><p id="answer" aria-live="polite" aria-labelledby="heading"></p>
<p id="state" role="status"></p></main>
<script nonce="${nonce}">${script}</script></body></html>
`;
}
