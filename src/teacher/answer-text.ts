/** What a model's text means, without what reasoning models and habits put around it. */

/**
 * The text without the reasoning at its start: `<think>…</think>`, also when a chat template has written the first mark
 * into the prompt. Of a text that ends in the middle of its reasoning nothing is left.
 */
export function withoutReasoning(text: string): string {
  const end = /^[\s\S]*<\/think(?:ing)?>/i.exec(text);
  if (end) return text.slice(end[0].length).trim();
  return /^\s*<think(?:ing)?>/i.test(text) ? '' : text;
}

/** The JSON object in a text, which some models put between words or code fences; undefined where there is none. */
export function objectIn(text: string): unknown {
  try {
    return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
  } catch {
    return undefined;
  }
}

/** The text without a code fence around it; of a text with an object of JSON in a fence, the object. */
export function withoutFence(text: string): string {
  const whole = /^\s*```[\w-]*[ \t]*\r?\n([\s\S]*?)\r?\n?```\s*$/.exec(text)?.[1];
  return whole ?? /```[\w-]*[ \t]*\r?\n(\s*\{[\s\S]*?\})\s*```/.exec(text)?.[1] ?? text;
}
