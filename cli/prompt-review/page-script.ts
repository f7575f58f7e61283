/** Style and keys of the review page. */

export const style = `
:root { color-scheme: light dark; --line: #9aa3af55; --good: #17713d; --bad: #a8301a; --mark: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --good: #6ed69a; --bad: #ff9a85; --mark: #8ab4ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; }
article { display: grid; grid-template-columns: minmax(0, 20rem) minmax(0, 1fr); gap: 1rem; padding: 1rem .6rem; border-top: 1px solid var(--line); border-left: 4px solid transparent; }
article.current { border-left-color: var(--mark); } article:focus { outline: none; }
@media (max-width: 45rem) { article { grid-template-columns: minmax(0, 1fr); } img { max-height: 40vh; } }
img { max-width: 100%; } p { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; font-size: .9rem; }
textarea { width: 100%; font: inherit; }
button { font: inherit; padding: .5rem 1.2rem; min-height: 44px; margin: .3rem .5rem .3rem 0; }
.good, ins { color: var(--good); } .bad, del, .refused { color: var(--bad); } ins, del { text-decoration: none; }
.next { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem 1rem; align-items: center; }
@media (max-width: 45rem) { .next { grid-template-columns: minmax(0, 1fr); } .next button { width: 100%; } .keys { display: none; } }
kbd { border: 1px solid var(--line); border-radius: .2rem; padding: 0 .3rem; }
`;

/** The keys; they do nothing while somebody types. The page works without them. */
export const script = `
const articles = [...document.querySelectorAll('article')];
const isOpen = (article) => article.dataset.judged === '';
const place = () => {
  try { return decodeURIComponent(location.hash); } catch { return location.hash; }
};
const from = articles.findIndex(({ id }) => '#' + id === place());
const order = [...articles.slice(from + 1), ...articles.slice(0, from + 1)];
let current = order.find(isOpen) ?? document.querySelector('#next');
const show = (target) => {
  if (!target) return;
  current?.classList.remove('current');
  current = target;
  current.classList.add('current');
  current.scrollIntoView({ block: 'start' });
};
if (from >= 0) show(current); else current?.classList.add('current');
const beside = (step) => {
  const at = articles.indexOf(current);
  // What next comes after the last sample.
  return at < 0 ? articles.at(step > 0 ? 0 : -1) : articles[(at + step + articles.length) % articles.length];
};
const keys = {
  g: () => current.querySelector('[value=good]')?.click(),
  b: () => {
    const comment = current.querySelector('textarea');
    if (comment?.value.trim() === '') comment.focus(); else current.querySelector('[value=bad]')?.click();
  },
  p: () => current.querySelector('details')?.toggleAttribute('open'),
  n: () => show(document.querySelector('#next')),
  j: () => show(beside(1)), arrowdown: () => show(beside(1)),
  k: () => show(beside(-1)), arrowup: () => show(beside(-1)),
};
addEventListener('keydown', (event) => {
  const { key, target, ctrlKey, metaKey, altKey } = event;
  if (target.tagName === 'TEXTAREA' && key === 'Escape') return target.blur();
  if (target.tagName === 'TEXTAREA' && key === 'Enter' && (ctrlKey || metaKey)) return target.form.querySelector('[value=bad], [value=revise]').click();
  if (ctrlKey || metaKey || altKey || /^(TEXTAREA|INPUT|SELECT)$/.test(target.tagName)) return;
  const act = keys[key.toLowerCase()];
  if (!act || current === null) return;
  event.preventDefault();
  act();
});`;
