import { headSize, type ModelConfig } from './model-config.ts';

type Shapes = [name: string, shape: number[]][];

/**
 * The name and shape of every tensor that `transformers` writes for a `Blip2ForConditionalGeneration` of
 * this config, part by part in the order in which they are used.
 *
 * @example
 * expectedTensors(config).get('query_tokens'); // [1, num_query_tokens, qformer_config.hidden_size]
 */
export function expectedTensors(config: ModelConfig): Map<string, number[]> {
  const { vision_config: vision, qformer_config: queryTransformer, text_config: text } = config;
  return new Map([
    ...prefixed('vision_model', visionTensors(vision)),
    ['query_tokens', [1, config.num_query_tokens, queryTransformer.hidden_size]],
    ...prefixed('qformer', queryTransformerTensors(queryTransformer)),
    ...linear('language_projection', queryTransformer.hidden_size, text.hidden_size),
    ...prefixed('language_model', llamaTensors(text)),
  ]);
}

function visionTensors(config: ModelConfig['vision_config']): Shapes {
  const { hidden_size: hidden, intermediate_size: intermediate, patch_size: patch } = config;
  const patches = (config.image_size / patch) ** 2;
  const layer = [
    ...norm('layer_norm1', hidden),
    ...linear('self_attn.qkv', hidden, 3 * hidden, config.qkv_bias),
    ...linear('self_attn.projection', hidden, hidden),
    ...norm('layer_norm2', hidden),
    ...linear('mlp.fc1', hidden, intermediate),
    ...linear('mlp.fc2', intermediate, hidden),
  ];
  return [
    ['embeddings.class_embedding', [1, 1, hidden]],
    ['embeddings.position_embedding', [1, patches + 1, hidden]],
    ['embeddings.patch_embedding.weight', [hidden, 3, patch, patch]],
    ['embeddings.patch_embedding.bias', [hidden]],
    ...numbered('encoder.layers', config.num_hidden_layers, () => layer),
    ...norm('post_layernorm', hidden),
  ];
}

function queryTransformerTensors(config: ModelConfig['qformer_config']): Shapes {
  const { hidden_size: hidden, intermediate_size: intermediate, encoder_hidden_size: vision } = config;
  const attention = (name: string, keys: number): Shapes => [
    ...linear(`${name}.attention.query`, hidden, hidden),
    ...linear(`${name}.attention.key`, keys, hidden),
    ...linear(`${name}.attention.value`, keys, hidden),
    ...linear(`${name}.output.dense`, hidden, hidden),
    ...norm(`${name}.output.LayerNorm`, hidden),
  ];
  return [
    ...norm('layernorm', hidden),
    ...numbered('encoder.layer', config.num_hidden_layers, (index) => [
      ...attention('attention', hidden),
      ...(index % config.cross_attention_frequency === 0 ? attention('crossattention', vision) : []),
      ...linear('intermediate_query.dense', hidden, intermediate),
      ...linear('output_query.dense', intermediate, hidden),
      ...norm('output_query.LayerNorm', hidden),
    ]),
  ];
}

function llamaTensors(config: ModelConfig['text_config']): Shapes {
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

function linear(name: string, input: number, output: number, bias = true): Shapes {
  const weight: Shapes = [[`${name}.weight`, [output, input]]];
  return bias ? [...weight, [`${name}.bias`, [output]]] : weight;
}

function norm(name: string, size: number): Shapes {
  return [
    [`${name}.weight`, [size]],
    [`${name}.bias`, [size]],
  ];
}

function prefixed(prefix: string, shapes: Shapes): Shapes {
  return shapes.map(([name, shape]) => [`${prefix}.${name}`, shape]);
}

function numbered(prefix: string, count: number, layer: (index: number) => Shapes): Shapes {
  return Array.from({ length: count }, (_, index) => prefixed(`${prefix}.${index}`, layer(index))).flat();
}
