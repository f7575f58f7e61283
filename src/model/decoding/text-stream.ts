/**
 * The text of tokens that come one by one: what each of them adds, as soon as it is certain.
 *
 * Not certain is a character of which bytes are missing, a space that a tokenizer may take away before the next token, and what
 * may become a stop text.
 */

/** Overlap of what is decoded again: tokenizers look a few tokens back. */
const OVERLAP = 8;
/** Tokens that are decoded again at most. */
const WINDOW = 48;
/** No character has more bytes, so that what is longer is none. */
const LONGEST_CHARACTER = 4;
/** What a tokenizer that cleans spaces up (`clean_up_tokenization_spaces`) may still change. */
const CHANGEABLE = / (?:n'?|'[mvr]?)?$/;
const INCOMPLETE = /\uFFFD+$/;

export interface TextStreamSettings {
  /** Texts that end the answer and are no part of it. */
  stop: readonly string[];
  /** What a model writes before an answer, which is no part of it. */
  separator?: string;
}

export interface TextStream {
  /**
   * Adds a token.
   *
   * @returns the texts of the next tokens in their order, those whose text is certain now; with `isStopped`, they are the last
   */
  push(token: number): { texts: string[]; isStopped: boolean };
  /** The texts of the tokens that are left. */
  end(): string[];
}

export function textStream(
  decode: (tokens: readonly number[]) => string,
  { stop, separator = '' }: TextStreamSettings,
): TextStream {
  /** Tokens that are decoded again, and how much of their text is in `text` already. */
  let window: number[] = [];
  let known = 0;
  let text = '';
  let separatorLength: number | undefined = separator === '' ? 0 : undefined;
  /** Where the text of each token that was not given out yet ends, in `text`; -1 where that is not certain. */
  let ends: number[] = [];
  let givenOut = 0;
  let incomplete = 0;

  /** Appends what is certain of the window's text. @returns whether that is all of it */
  const extend = (isLast: boolean): boolean => {
    const whole = decode(window);
    // An incomplete character that no token completed for long is none.
    const isIncomplete = INCOMPLETE.test(whole) && incomplete < 2 * LONGEST_CHARACTER;
    incomplete = isIncomplete ? incomplete + 1 : 0;
    if (isIncomplete && !isLast) return false;
    const certain = isLast ? whole.length : whole.length - (CHANGEABLE.exec(whole)?.[0].length ?? 0);
    if (certain > known) {
      text += whole.slice(known, certain);
      known = certain;
    }
    if (separatorLength === undefined && (isLast || text.length >= separator.length)) {
      separatorLength = text.startsWith(separator) ? separator.length : 0;
      text = text.slice(separatorLength);
    }
    if (window.length > WINDOW && certain === whole.length) {
      window = window.slice(-OVERLAP);
      known = decode(window).length;
    }
    return certain === whole.length;
  };

  /** Gives out the tokens whose text ends before `limit`. */
  const giveOut = (limit: number): string[] => {
    const count = ends.findIndex((end) => end < 0 || end > limit);
    const ready = ends.splice(0, count < 0 ? ends.length : count);
    return ready.map((end) => {
      const part = text.slice(givenOut, end);
      givenOut = end;
      return part;
    });
  };

  /** The rest of the tokens up to where the stop text starts. */
  const cutAt = (place: number): string[] => {
    const before = giveOut(place);
    const isCut = ends.length > 0 && givenOut < place;
    const rest = isCut ? [text.slice(givenOut, place)] : [];
    ends = [];
    return [...before, ...rest];
  };

  const stopPlace = (): number | undefined => {
    const places = stop.map((one) => text.indexOf(one, givenOut)).filter((place) => place >= 0);
    return places.length === 0 ? undefined : Math.min(...places);
  };

  const extended = (isLast: boolean): { texts: string[]; isStopped: boolean } => {
    const isWhole = extend(isLast);
    if (separatorLength === undefined) return { texts: [], isStopped: false };
    const length = text.length;
    // The newest token waits for what is not certain: it may be the last one.
    const newest = isWhole ? ends.length : ends.length - 1;
    ends = ends.map((end, index) => (end < 0 && index < newest ? length : end));
    const place = stopPlace();
    if (place !== undefined) return { texts: cutAt(place), isStopped: true };
    const limit = isLast ? length : length - longestPrefixAtEnd(text, stop);
    return { texts: giveOut(limit), isStopped: false };
  };

  return {
    push(token) {
      window.push(token);
      ends.push(-1);
      return extended(false);
    },
    end: () => extended(true).texts,
  };
}

/** The length of the longest start of any of the texts that the text ends with. */
function longestPrefixAtEnd(text: string, texts: readonly string[]): number {
  let longest = 0;
  for (const one of texts) {
    for (let length = Math.min(one.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(one.slice(0, length))) longest = length;
    }
  }
  return longest;
}
