/**
 * What tensors are called in the files that people download, and what they are called in ours.
 *
 * BLIP-2 comes in two layouts: Hugging Face's, which is ours, and that of LAVIS, the original code, which MiniGPT-4
 * uses too (`blip2_pretrained_flant5xxl.pth` for the Q-Former, `eva_vit_g.pth` for the vision encoder). The pairs
 * follow `convert_blip_2_original_to_pytorch.py` of transformers; docs/official-checkpoints.md has them as a table.
 */

type Rules = readonly (readonly [RegExp, string])[];

/** LLaMA and Vicuna, `LlamaForCausalLM`. */
export const llamaRules: Rules = [[/^((?:model|lm_head)\..+)$/, 'language_model.$1']];
/** Buffers that earlier versions of transformers wrote along. */
export const llamaIgnored: readonly RegExp[] = [/\.rotary_emb\.inv_freq$/];

/** Vision encoder and Q-Former of `Blip2ForConditionalGeneration`. */
export const huggingFaceRules: Rules = [[/^((?:vision_model|qformer)\..+|query_tokens)$/, '$1']];
/** Its language model is replaced, and so is the projection to it. */
export const huggingFaceIgnored: readonly RegExp[] = [
  /^language_(model|projection)\./,
  /\.position_ids$/,
  /^(vision_projection|text_projection|itm_head|embeddings)\./,
];

/** Q-Former, queries and the norm after the vision encoder, as LAVIS and MiniGPT-4 have them. */
export const lavisRules: Rules = [
  [/^query_tokens$/, 'query_tokens'],
  [/^ln_vision\.(weight|bias)$/, 'vision_model.post_layernorm.$1'],
  [/^Qformer\.bert\.embeddings\.LayerNorm\.(weight|bias)$/, 'qformer.layernorm.$1'],
  [
    /^Qformer\.bert\.encoder\.layer\.(\d+)\.((?:cross)?attention)\.self\.(query|key|value)\.(weight|bias)$/,
    'qformer.encoder.layer.$1.$2.attention.$3.$4',
  ],
  [
    /^Qformer\.bert\.encoder\.layer\.(\d+)\.((?:cross)?attention|intermediate_query|output_query)\.((?:output\.)?(?:dense|LayerNorm)\.(?:weight|bias))$/,
    'qformer.encoder.layer.$1.$2.$3',
  ],
];
/** The Q-Former's text branch, which reads no image, and heads and projections for other language models. */
export const lavisIgnored: readonly RegExp[] = [
  /^Qformer\.cls\./,
  /^Qformer\.bert\.embeddings\.(word_embeddings|position_embeddings|position_ids)/,
  /^Qformer\.bert\.encoder\.layer\.\d+\.(intermediate|output)\.(dense|LayerNorm)\./,
  /^(t5|opt|llm|llama|vision|text)_proj\./,
  /^(itm_head\..+|temp)$/,
];

/** EVA ViT-g; in a whole LAVIS checkpoint each name starts with `visual_encoder.`. */
export const evaPrefix = 'visual_encoder.';
export const evaRules: Rules = [
  [/^cls_token$/, 'vision_model.embeddings.class_embedding'],
  [/^pos_embed$/, 'vision_model.embeddings.position_embedding'],
  [/^patch_embed\.proj\.(weight|bias)$/, 'vision_model.embeddings.patch_embedding.$1'],
  [/^blocks\.(\d+)\.norm([12])\.(weight|bias)$/, 'vision_model.encoder.layers.$1.layer_norm$2.$3'],
  [/^blocks\.(\d+)\.attn\.qkv\.weight$/, 'vision_model.encoder.layers.$1.self_attn.qkv.weight'],
  // Joined to one: the key has no bias.
  [/^blocks\.(\d+)\.attn\.q_bias$/, 'vision_model.encoder.layers.$1.self_attn.qkv.bias#query'],
  [/^blocks\.(\d+)\.attn\.v_bias$/, 'vision_model.encoder.layers.$1.self_attn.qkv.bias#value'],
  [/^blocks\.(\d+)\.attn\.proj\.(weight|bias)$/, 'vision_model.encoder.layers.$1.self_attn.projection.$2'],
  [/^blocks\.(\d+)\.mlp\.(fc[12])\.(weight|bias)$/, 'vision_model.encoder.layers.$1.mlp.$2.$3'],
];
/** What EVA was pretrained with and BLIP-2 does not use. */
export const evaIgnored: readonly RegExp[] = [
  /^(norm|fc_norm|head|lm_head)\./,
  /^(mask_token|logit_scale)$/,
  /(^|\.)(rel_pos_bias|relative_position_(index|bias_table))/,
];

/** MiniGPT-4's stage-1 checkpoint. */
export const projectionRules: Rules = [[/^llama_proj\.(weight|bias)$/, 'language_projection.$1']];

/** Our name of a tensor; none for one that is not wanted; undefined when it is unknown. */
export function ourName(name: string, rules: Rules, ignored: readonly RegExp[] = []): string | 'none' | undefined {
  const rule = rules.find(([pattern]) => pattern.test(name));
  if (rule) return name.replace(rule[0], rule[1]);
  return ignored.some((pattern) => pattern.test(name)) ? 'none' : undefined;
}
