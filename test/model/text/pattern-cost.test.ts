import { describe, expect, it } from 'vitest';
import { problemOfPattern } from '../../../src/model/text/pattern-cost.ts';

const wordsOfGpt4o =
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

/** Of published `tokenizer.json` files. */
const published = {
  'GPT-2': "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  CLIP: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
  'Llama 3':
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  'Qwen 2':
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  'GPT-4, possessive':
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
  'GPT-4o': `${wordsOfGpt4o}|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  'Kimi K2': `[\\p{Han}]+|${wordsOfGpt4o.replaceAll('\\p{M}]', '\\p{M}&&[^\\p{Han}]]')}|\\p{N}{1,3}|\\s*[\\r\\n]+|\\s+`,
  'DeepSeek V3':
    '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  'DeepSeek V3, CJK': '[一-龥\u3040-ゟ゠-ヿ]+',
  Bloom: '(?i) ?[^(\\s|[.,!?…。，、।۔،])]+',
  'XLM-R': ' {2,}',
  'digits in threes': '\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))',
  'lines kept together': '(?:\\r?\\n)+(?!\\r?\\n)',
};

describe("a tokenizer's pattern", () => {
  it.each(Object.entries(published))('is accepted as published: %s', (_, pattern) => {
    expect(problemOfPattern(pattern, 1)).toBeUndefined();
  });

  it.each([
    ['(a+)+c'],
    ['(a|a)*c'],
    ['(?:a|ab|b)*(?!x)c'],
    ['(?:a?){40}c'],
    ['(?:a{1,3})+c'],
    ['a{1,3}+c'],
    ['(?:(?:\\w|\\d)x?)+y'],
    ['(?=(a*)*b)c'],
    ['(?:\\s|[ ])+$'],
    ['(?:a*b*)*c'],
    ['(?:(?:ab)+c?)+d'],
    // Ignoring case, ß fits ss.
    ['(?i:[ßs]+c)'],
    ['(?i:(?:ss|ß)+c)'],
    ['(?i)(?:[\\p{L}])+c'],
    ['x{2,}(?:a+){2,}y'],
  ])('is refused where the ways of each turn multiply: %s', (pattern) => {
    expect(problemOfPattern(pattern, 1)).toMatch(/^may take forever/);
  });

  it.each([
    ['a*a*c'],
    ['.*.*.*x'],
    ['\\s+\\s+$'],
    ['a+(?=.*b)c'],
    [`${'(?:a|a)'.repeat(30)}c`],
    [`${'a?'.repeat(40)}b`],
    // Each turn looks at the same letters anew.
    ['(?:(?=a*b)a)+'],
    ['(?:(?=a{9999})a)+'],
    ['(?:(?=(?:(?=a{999})a){999})a)+'],
    [`(?=${'(?:a(?='.repeat(3)}a${')){16}'.repeat(3)})`],
  ])('is refused where a long text would take long: %s', (pattern) => {
    expect(problemOfPattern(pattern, 1)).toMatch(/^may take too long/);
  });

  // Python counts the turns of a place, too: these are 10 to the power of 12.
  it.each([['(?:(?:(?:\\b){9999}){9999}){9999}'], ['(?:(?=a)){2,}'], ['(?:^|$)+']])(
    'is refused where it repeats what has no length: %s',
    (pattern) => {
      expect(problemOfPattern(pattern, 5)).toBe('repeats what has no length');
    },
  );

  it.each([
    ['(a)\\1', 'an escape'],
    ['\\R+', 'an escape'],
    ['\\X', 'an escape'],
    ['\\x{61 62}', 'an escape'],
    ['(?<n>a)\\g<n>', 'an escape'],
    ['(?(?=a)b|c)', 'a group'],
    ['(?~a)', 'a group'],
    ['(?x: a )', 'a group'],
    ['a(?i)b', 'a group'],
    ['(*FAIL)', 'a repeat of nothing'],
    ['a**', 'a repeat of a repeat'],
    ['a{2}{3}', 'a repeat of a repeat'],
    ['a{x', 'a brace'],
    ['[]a]', 'a set that begins'],
    ['[a', 'a set without an end'],
    ['(a', 'an opening parenthesis'],
    ['a)', 'a closing parenthesis'],
    ['('.repeat(1000), 'groups within one another'],
    ['['.repeat(1000), 'sets within one another'],
    ['a'.repeat(10_000), 'longer than 5000 characters'],
  ])('is refused where it is not read here: %s', (pattern, part) => {
    expect(problemOfPattern(pattern, 1)).toContain(part);
  });

  it('may repeat in any way what nothing follows', () => {
    for (const pattern of ['(?:a|a)+', '(?:a*)*', 'x|(?:a+)+']) expect(problemOfPattern(pattern, 1)).toBeUndefined();
  });
});

describe("an adapter's pattern", () => {
  it.each([
    '^(?!.*patch_embed).*(?:gate_proj|k_proj|fc2|o_proj|fc1|down_proj|v_proj|up_proj|out_proj|qkv|q_proj|proj).*$',
    '(?:.*?(?:vision|image|visual|patch|language|text).*?(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense).*?(?:k_proj|v_proj|q_proj|out_proj|fc1|fc2).*?)|(?:\\bmodel\\.layers\\.[\\d]{1,}\\.(?:self_attn|mlp)\\.(?:(?:k_proj|v_proj)))',
    'model\\.language_model\\.layers\\.\\d+\\.(?:mlp|self_attn)\\.(?:up|down|gate|q|k|v|o)_proj',
  ])('is accepted as people write it: %s', (pattern) => {
    expect(problemOfPattern(`^(?:${pattern})$`, 5)).toBeUndefined();
  });
});
