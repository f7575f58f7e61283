import { llamaTensors } from '../../files/llama.ts';
import { linear, norm, numbered, prefixed, type Shapes } from '../../files/tensor-shapes.ts';
import type { Blip2Config } from './config.ts';

/**
 * The name and shape of every tensor that `transformers` writes for a `Blip2ForConditionalGeneration` of
 * this config, part by part in the order in which they are used.
 *
 * @example
 * blip2Tensors(config).get('query_tokens'); // [1, num_query_tokens, qformer_config.hidden_size]
 */
export function blip2Tensors(config: Blip2Config): Map<string, number[]> {
  const { vision_config: vision, qformer_config: queryTransformer, text_config: text } = config;
  return new Map([
    ...prefixed('vision_model', visionTensors(vision)),
    ['query_tokens', [1, config.num_query_tokens, queryTransformer.hidden_size]],
    ...prefixed('qformer', queryTransformerTensors(queryTransformer)),
    ...linear('language_projection', queryTransformer.hidden_size, text.hidden_size),
    ...prefixed('language_model', llamaTensors(text)),
  ]);
}

function visionTensors(config: Blip2Config['vision_config']): Shapes {
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

function queryTransformerTensors(config: Blip2Config['qformer_config']): Shapes {
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
