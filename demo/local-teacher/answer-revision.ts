import type { RevisionPrompt } from './read-prompt.ts';

/** Says what was confusing, or makes each complaint a rule of the prompt, after the rules that are there. */
export function answerRevision({ kind, prompt, complaints }: RevisionPrompt): string {
  if (kind === 'diagnose') {
    return ['No rule of the prompt speaks of this:', ...complaints.map((complaint) => `- ${complaint}`)].join('\n');
  }
  const lines = prompt.split('\n');
  const last = lastRule(lines);
  const rules = complaints.map((complaint, index) => `${last.number + index + 1}. ${asSentence(complaint)}`);
  const revised = [...lines.slice(0, last.end), ...rules, ...lines.slice(last.end)].join('\n');
  return `<prompt>\n${revised}\n</prompt>`;
}

/** The last numbered line, and where it ends: a rule may go on over indented lines. */
function lastRule(lines: readonly string[]): { number: number; end: number } {
  const start = lines.findLastIndex((line) => /^\d+\. /.test(line));
  if (start < 0) return { number: 0, end: lines.length };
  let end = start + 1;
  while (/^\s+\S/.test(lines[end] ?? '')) end += 1;
  return { number: Number.parseInt(lines[start] as string, 10), end };
}

function asSentence(text: string): string {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
