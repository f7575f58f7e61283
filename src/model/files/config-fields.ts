/**
 * Fields of `config.json` that are known to change nothing of what is computed here; tested against `transformers` one by one.
 * Those of one family alone are in its folder.
 */

/** Of `PreTrainedConfig`: about the file, its training, or what `transformers` 4 had in every config. */
const ofEveryConfig = [
  ...['architectures', 'auto_map', 'dtype', 'torch_dtype', 'transformers_version', 'tokenizer_class', 'torchscript'],
  ...['output_attentions', 'output_hidden_states', 'return_dict', 'use_cache', 'use_bfloat16', 'tf_legacy_loss'],
  ...['add_cross_attention', 'cross_attention_hidden_size', 'is_decoder', 'is_encoder_decoder', 'tie_encoder_decoder'],
  ...['chunk_size_feed_forward', 'pruned_heads', 'finetuning_task', 'id2label', 'label2id', 'problem_type', 'prefix'],
  ...['task_specific_params', 'sep_token_id', 'decoder_start_token_id', 'initializer_range', 'initializer_factor'],
];

/** How text is written, which `transformers` 4 kept in every config; see `generation-config.ts` for what counts. */
export const generationFields = [
  ...['do_sample', 'temperature', 'top_k', 'top_p', 'typical_p', 'max_length', 'min_length', 'num_return_sequences'],
  ...['num_beams', 'num_beam_groups', 'diversity_penalty', 'length_penalty', 'early_stopping', 'output_scores'],
  ...['repetition_penalty', 'no_repeat_ngram_size', 'encoder_no_repeat_ngram_size', 'bad_words_ids'],
  ...['forced_bos_token_id', 'forced_eos_token_id', 'suppress_tokens', 'begin_suppress_tokens'],
  ...['exponential_decay_length_penalty', 'remove_invalid_values', 'return_dict_in_generate'],
];

/** What any part of a config may have. */
export const ofEveryPart = [...ofEveryConfig, ...generationFields];

/** Special tokens where they say nothing: beside a `text_config`, or in a part that writes no text. */
export const tokenIds = ['bos_token_id', 'eos_token_id', 'pad_token_id'];

/** Of LLaMA and CLIP, which several families have. */
export const withoutEffect = {
  llama: [
    ...[...ofEveryPart, 'attention_dropout', 'pretraining_tp', 'max_sequence_length'],
    ...['is_llama_config', 'rope_interleaved', 'transformers.js_config'],
  ],
  clipVision: [...ofEveryPart, ...tokenIds, 'attention_dropout', 'dropout', 'vocab_size', 'tie_word_embeddings'],
  clip: [
    ...[...ofEveryPart, ...tokenIds, 'text_config', 'text_config_dict', 'logit_scale_init_value'],
    'tie_word_embeddings',
  ],
} as const;
