/** The tokens that `config.json` and the tokenizer both name. Where they differ, the tokenizer is right. */
import type { LlamaConfig } from '../files/llama.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface SpecialIds {
  /** Begins every prompt. */
  begin: number;
  /** Any of them ends an answer. */
  ends: number[];
  /** Fills a batch up; it is never looked at. */
  pad: number;
}

/** What a config says of them. */
export type NamedIds = Pick<LlamaConfig, 'bos_token_id' | 'eos_token_id' | 'pad_token_id'>;
type TokenizerIds = Pick<Tokenizer, 'beginToken' | 'endToken' | 'padToken'>;

/** As `LlamaConfig` of transformers has it. */
const DEFAULT_BEGIN = 1;

/** @param ownEnds those of `generation_config.json`, which count instead of the config's */
export function specialIds(
  config: NamedIds,
  { beginToken, endToken, padToken }: TokenizerIds,
  ownEnds: readonly number[] = endsOf(config),
): SpecialIds {
  const { bos_token_id: begin = DEFAULT_BEGIN, pad_token_id: pad = 0 } = config;
  return {
    begin: beginToken ?? begin,
    ends: [...new Set([...ownEnds, ...(endToken === undefined ? [] : [endToken])])],
    // Vicuna's first config has -1, which is no id.
    pad: padToken ?? Math.max(pad, 0),
  };
}

/** What is wrong in the config, a sentence; undefined where it agrees with the tokenizer. */
export function specialIdProblem(config: NamedIds, { beginToken, endToken }: TokenizerIds): string | undefined {
  const begin = config.bos_token_id;
  const ends = endsOf(config);
  const problems = [
    begin !== undefined && beginToken !== undefined && begin !== beginToken
      ? `bos_token_id is ${begin}, but the tokenizer's begin token has id ${beginToken}`
      : undefined,
    ends.length > 0 && endToken !== undefined && !ends.includes(endToken)
      ? `eos_token_id is ${ends.join(' and ')}, but the tokenizer's end token has id ${endToken}`
      : undefined,
  ].filter((problem) => problem !== undefined);
  return problems.length === 0 ? undefined : `config.json: ${problems.join('; ')}: the tokenizer's ids are used`;
}

function endsOf({ eos_token_id }: NamedIds): number[] {
  return [eos_token_id ?? []].flat();
}
