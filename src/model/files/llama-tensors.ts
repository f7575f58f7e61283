import { headSize, type LlamaConfig } from './llama-config.ts';
import { linear, numbered, type Shapes } from './tensor-shapes.ts';

/** The tensors of `LlamaForCausalLM`. */
export function llamaTensors(config: LlamaConfig): Shapes {
  const { hidden_size: hidden, intermediate_size: intermediate, vocab_size: vocabulary } = config;
  const queries = config.num_attention_heads * headSize(config);
  const keys = config.num_key_value_heads * headSize(config);
  const layer: Shapes = [
    ['input_layernorm.weight', [hidden]],
    ...linear('self_attn.q_proj', hidden, queries, false),
    ...linear('self_attn.k_proj', hidden, keys, false),
    ...linear('self_attn.v_proj', hidden, keys, false),
    ...linear('self_attn.o_proj', queries, hidden, false),
    ['post_attention_layernorm.weight', [hidden]],
    ...linear('mlp.gate_proj', hidden, intermediate, false),
    ...linear('mlp.up_proj', hidden, intermediate, false),
    ...linear('mlp.down_proj', intermediate, hidden, false),
  ];
  return [
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ...numbered('model.layers', config.num_hidden_layers, () => layer),
    ['model.norm.weight', [hidden]],
    ...(config.tie_word_embeddings ? [] : linear('lm_head', hidden, vocabulary, false)),
  ];
}
