/** Fields of `config.json` that are known to change nothing of what is computed here. */

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

/** Fields of `config.json` that change nothing here, by the part they stand in; tested against `transformers` one by one. */
export const withoutEffect = {
  llama: [
    ...[...ofEveryConfig, ...generationFields, 'attention_dropout', 'pretraining_tp', 'max_sequence_length'],
    ...['is_llama_config', 'rope_interleaved', 'transformers.js_config'],
  ],
  clipVision: [
    ...[...ofEveryConfig, ...generationFields, 'attention_dropout', 'dropout', 'vocab_size'],
    ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'tie_word_embeddings'],
  ],
  clip: [
    ...[...ofEveryConfig, ...generationFields, 'text_config', 'text_config_dict', 'logit_scale_init_value'],
    ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'tie_word_embeddings'],
  ],
  llava: [
    ...[...ofEveryConfig, ...generationFields, 'image_seq_length', 'ignore_index', 'vocab_size'],
    ...['bos_token_id', 'eos_token_id', 'pad_token_id'],
  ],
  blip2: [
    ...[...ofEveryConfig, ...generationFields, 'image_text_hidden_size', 'use_decoder_only_language_model'],
    ...['bos_token_id', 'eos_token_id', 'pad_token_id'],
  ],
  blip2Vision: [
    ...[...ofEveryConfig, ...generationFields, 'attention_dropout', 'dropout', 'projection_dim'],
    ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'tie_word_embeddings'],
  ],
  blip2QFormer: [
    ...[...ofEveryConfig, ...generationFields, 'attention_probs_dropout_prob', 'hidden_dropout_prob'],
    ...['classifier_dropout', 'max_position_embeddings', 'vocab_size'],
    ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'tie_word_embeddings'],
  ],
} as const;
