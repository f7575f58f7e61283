/** The style of all pages: restrained, dense, in the colors of the reader's mode, with a layout for phones. */
export const style = `
:root { color-scheme: light dark; --ground: #fff; --card: #f5f6f8; --ink: #1d2129; --soft: #5b6472; --line: #d8dce2; --good: #1a7f45; --bad: #b3361f; --heat: #f08c3a; --bar: #9dbfe6; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --card: #1f242c; --ink: #e6e9ee; --soft: #a0a9b6; --line: #363d48; --good: #5fce8e; --bad: #ff8f78; --heat: #a8500f; --bar: #3f658f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 74.5rem; padding: 1rem 1.5rem 3rem; background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; border-top: 1px solid var(--line); padding-top: 1rem; } h3 { font-size: .95rem; margin: 1.2rem 0 .4rem; }
p { margin: .4rem 0; } a { color: inherit; } .note { color: var(--soft); font-size: .87rem; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .1rem 1rem; } header .note { margin: 0; }
nav { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .87rem; margin: .3rem 0 .8rem; } nav a { padding: .2rem 0; }
.verdict { font-size: 1.1rem; max-width: 62rem; } .verdict strong { font-size: 1.25rem; }
.figures { display: flex; flex-wrap: wrap; gap: .6rem 2.2rem; margin: .8rem 0; } .figures dt { color: var(--soft); font-size: .87rem; } .figures dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; } .figures dd.note { font-size: .87rem; }
.halves { display: grid; grid-template-columns: minmax(0, 1.3fr) minmax(0, 1fr); gap: 0 2.2rem; align-items: start; font-size: .93rem; } .halves summary { padding: .1rem 0; }
.findings { list-style: none; margin: 0; padding: 0; } .findings li { padding: .32rem 0; border-bottom: 1px solid var(--line); } .findings b { font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .7rem .28rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; } th:last-child, td:last-child { padding-right: 0; }
th { font-weight: 600; } thead .figure { white-space: normal; } .range { display: block; color: var(--soft); font-size: .8rem; } .runs tbody th, .heat tbody th { white-space: nowrap; } .charts + .scroll { margin-top: 1rem; } thead th { color: var(--soft); font-size: .87rem; vertical-align: bottom; } .figure { text-align: right; white-space: nowrap; } .halves table { width: 100%; }
.settings thead { display: none; }
.heat td, .heat th { vertical-align: middle; padding: 0 .5rem 0 0; } .heat td span { display: block; min-width: 2.6rem; padding: .28rem .3rem; margin: 0 -.2rem; background: color-mix(in srgb, var(--heat) calc(var(--share) * 100%), var(--ground)); }
.share { display: inline-block; min-width: 3.4rem; text-align: right; } .sign { vertical-align: -1px; margin-right: .5rem; } .bar { display: inline-block; height: .7rem; width: calc(var(--share) * 9rem); margin-left: .5rem; background: var(--bar); }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem 2rem; } figure { margin: 0; } .whole { grid-column: 1 / -1; }
figure svg { display: block; max-width: 100%; height: auto; } .narrow { display: none; } figcaption { font-weight: 600; font-size: .95rem; margin-bottom: .3rem; }
summary { cursor: pointer; padding: .35rem 0; } details + h3 { margin-top: 1.4rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: 1rem; }
article { display: flex; gap: .8rem; align-items: flex-start; padding: .8rem; border-radius: .3rem; background: var(--card); overflow-wrap: anywhere; }
article img, .no-image { flex: none; max-width: 160px; border-radius: .2rem; } .no-image { width: 160px; height: 120px; background: #888; }
article p { margin: 0 0 .4rem; } article ol { margin: 0 0 .4rem; padding-left: 1.5rem; }
.type, .rationale, li span { color: var(--soft); font-size: .85rem; } .question { font-weight: 600; }
article pre { white-space: pre-wrap; margin: 0; color: var(--soft); font-size: .8rem; } .by-round span { white-space: nowrap; margin-right: .5rem; font-size: .85rem; }
.filters { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; margin: .4rem 0 .8rem; align-items: baseline; color: var(--soft); font-size: .87rem; } select { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: .2rem; padding: .25rem; max-width: 16rem; }
.lineage text { fill: var(--ink); } .lineage path, .lineage polygon { stroke: var(--soft); } .lineage .edge polygon { fill: var(--soft); } .lineage .scores path { stroke: var(--good); stroke-width: 2; }
.gallery .cards { max-height: 46rem; overflow-y: auto; overscroll-behavior: auto; border: 1px solid var(--line); border-radius: .3rem; padding: .8rem; }
.correct, .correct span, .good { color: var(--good); } .chosen, .chosen span { color: var(--bad); }
@media (max-width: 62rem) { .halves, .charts { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 40rem) {
  .range { display: inline; }   body { padding: .8rem 1rem 2rem; } .wide { display: none; } .narrow { display: block; } .figures { gap: .5rem 1.4rem; } .figures dd { font-size: 1.1rem; }
  table, tbody { display: block; } thead { display: none; }
  tr { display: flex; flex-wrap: wrap; gap: .15rem 1rem; padding: .45rem 0; border-bottom: 1px solid var(--line); }
  th, td, .figure { display: block; padding: 0; border: 0; text-align: left; white-space: normal; overflow-wrap: anywhere; } tr > th, .runs tbody th, .heat tbody th { flex: 0 0 100%; white-space: normal; }
  th[data-label]::before { content: attr(data-label) ' '; }
  td::before { content: attr(data-label); display: block; color: var(--soft); font-size: .8rem; } .settings td::before { content: none; }
  .heat td, .heat th { padding: 0; } .heat td span { margin: 0; min-width: 3.2rem; padding: .1rem .3rem; } .bar { width: calc(var(--share) * 6rem); }
  .gallery .cards { max-height: none; overflow: visible; padding: 0; border: 0; } article { flex-direction: column; }
}
`;
