/** Marks and characters that no question about an image has: what could end a turn for a model, or what a reader does not see. */

/** Of the chat formats of known models, in any case of letters. What a model's own tokenizer adds is found by that. */
const chatMarks = [
  // MiniGPT-4's and LLaVA's.
  /###|<\/?img>|<imagehere>|<(?:image|video|audio)>/iu,
  // LLaMA's, Vicuna's and T5's.
  /<\/?s>|<(?:unk|pad|bos|eos|mask|cls|sep)>|<(?:extra_id_|unused|reserved_?|special_)\d+>/iu,
  // Qwen's, LLaMA 3's, Phi's and DeepSeek's.
  /<\|[^|<>\s]{1,40}\|>|<｜[^｜<>]{1,40}｜>/iu,
  /<\/?(?:tool_call|tool_response|tools|function_calls?|think(?:ing)?|box|ref|quad)>/iu,
  // Gemma's and PaliGemma's.
  /<\/?(?:start|end)_of_[a-z]+>|<(?:loc|seg)\d{2,4}>/iu,
  // LLaMA 2's and Mistral's.
  /\[\/?(?:inst|system_prompt|tool_calls|available_tools|tool_results|tool_content|img|img_break|img_end)\]|<<\/?sys>>/iu,
  // Idefics' and SmolVLM's.
  /<(?:end_of_utterance|fake_token_around_image|global-img|row_\d+_col_\d+)>/iu,
  // BERT's.
  /\[(?:CLS|SEP|PAD|MASK|UNK|BOS|EOS|gMASK)\]/u,
];

/** The first mark of a chat format in a text, also in letters that some tokenizers take for the same. */
export function findChatMark(text: string): string | undefined {
  for (const one of [text, text.normalize('NFKC')]) {
    for (const pattern of chatMarks) {
      const match = pattern.exec(one);
      if (match) return one.slice(Math.max(0, match.index - 30), match.index + 60).trim();
    }
  }
  return undefined;
}

// Control characters but spaces and line breaks, those that turn a text around or join nothing, tags (U+E0000 and up, which hide
// a whole text), halves of characters, and noncharacters, which this program writes into special tokens. The two selectors
// that follow an emoji are none of them.
const hidden =
  /(?![\t-\r])\p{Cc}|(?![\ufe0e\ufe0f])\p{Default_Ignorable_Code_Point}|[\p{Bidi_Control}\p{Noncharacter_Code_Point}\p{Cs}\u2028\u2029\ufff9-\ufffb]/u;

/** The first character that nobody sees, by its code point. */
export function findHidden(text: string): string | undefined {
  const match = hidden.exec(text);
  return match ? `U+${(match[0].codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}` : undefined;
}

/** The text with a space for each control character, and without the others; those that join letters of a word stay. */
export function withoutHidden(text: string): string {
  return text.replaceAll(new RegExp(hidden, 'gu'), (found) => {
    if (found === '\u200c' || found === '\u200d') return found;
    return /[\p{Cc}\u2028\u2029]/u.test(found) ? ' ' : '';
  });
}
