/** `generation_config.json`: how a model's own files say that it writes text. Here answers are written as a job says. */
import path from 'node:path';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { readSettings } from '../../core/read-json.ts';
import { generationFields } from './config-fields.ts';
import { tokenId } from './config-sizes.ts';
import { onlyKnownFields } from './known-fields.ts';

/**
 * What changes the likeliest tokens: these must say nothing. All that is left is how many sequences are followed or drawn
 * from, which the job says instead.
 */
const neutral: Record<string, readonly unknown[]> = {
  repetition_penalty: [1],
  encoder_repetition_penalty: [1],
  no_repeat_ngram_size: [0],
  encoder_no_repeat_ngram_size: [0],
  bad_words_ids: [],
  force_words_ids: [],
  constraints: [],
  forced_bos_token_id: [],
  forced_eos_token_id: [],
  suppress_tokens: [],
  begin_suppress_tokens: [],
  sequence_bias: [],
  exponential_decay_length_penalty: [],
  min_length: [0],
  min_new_tokens: [0],
  guidance_scale: [1],
  watermarking_config: [],
  penalty_alpha: [0],
  dola_layers: [],
  stop_strings: [],
  max_time: [],
  token_healing: [false],
};

/** Fields that change nothing of what is written greedily; tested against `generate` of `transformers` one by one. */
export const withoutEffectOnText = [
  ...['do_sample', 'temperature', 'top_k', 'top_p', 'min_p', 'top_h', 'typical_p', 'epsilon_cutoff', 'eta_cutoff'],
  ...['max_length', 'max_new_tokens', 'num_beams', 'num_beam_groups', 'diversity_penalty', 'length_penalty'],
  ...['early_stopping', 'num_return_sequences', 'renormalize_logits', 'remove_invalid_values', 'low_memory'],
  ...['bos_token_id', 'pad_token_id', 'decoder_start_token_id', 'use_cache', 'cache_implementation', 'cache_config'],
  ...['return_dict_in_generate', 'output_attentions', 'output_hidden_states', 'output_logits', 'output_scores'],
  ...['disable_compile', 'compile_config', 'num_assistant_tokens', 'num_assistant_tokens_schedule'],
  ...['assistant_confidence_threshold', 'max_matching_ngram_size', 'transformers_version'],
] as const;

const ends = z.union([tokenId, z.array(tokenId)]).nullish();

/** Reports a field that would change the likeliest tokens. */
function refuseChanges(content: Record<string, unknown>, context: z.RefinementCtx): void {
  for (const [field, harmless] of Object.entries(neutral)) {
    const value = content[field] ?? undefined;
    if (value === undefined || harmless.includes(value) || (Array.isArray(value) && value.length === 0)) continue;
    const message = `is ${JSON.stringify(value).slice(0, 100)}: answers are written without it. Remove the field to have them written so`;
    context.addIssue({ code: 'custom', path: [field], message });
  }
}

const generationSchema = onlyKnownFields(z.looseObject({ eos_token_id: ends }).superRefine(refuseChanges), [
  ...Object.keys(neutral),
  ...withoutEffectOnText,
]);

/** Where there is no `generation_config.json`, transformers takes these of `config.json`, which version 4 kept there. */
const legacyOf = (content: object) =>
  Object.fromEntries(Object.entries(content).filter(([field]) => generationFields.includes(field)));
const legacySchema = z
  .looseObject({ text_config: z.looseObject({}).optional() })
  .superRefine(({ text_config = {}, ...content }, context) =>
    refuseChanges({ ...legacyOf(text_config), ...legacyOf(content) }, context),
  );

/**
 * The ids that end what the model writes, if its `generation_config.json` says so: they count instead of those of
 * `config.json`.
 *
 * @throws InputError naming the file and the field that says something that is not done here, or that is not known
 */
export async function readEndTokens(directory: string): Promise<number[] | undefined> {
  const file = path.join(directory, 'generation_config.json');
  if (await fileExists(file)) {
    const { eos_token_id } = await readSettings(file, generationSchema);
    return eos_token_id === null || eos_token_id === undefined ? undefined : [eos_token_id].flat();
  }
  await readSettings(path.join(directory, 'config.json'), legacySchema);
  return undefined;
}
