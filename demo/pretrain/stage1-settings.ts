/** The demo's model and how it is made: everything that decides the weights of `data/stage1`. */
import type { LearningRateSchedule } from '../../src/trainer/protocol.ts';

export const STAGE1_MODEL = {
  model_type: 'blip-2',
  architectures: ['Blip2ForConditionalGeneration'],
  num_query_tokens: 12,
  vision_config: {
    hidden_size: 128,
    intermediate_size: 512,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    image_size: 96,
    patch_size: 12,
    layer_norm_eps: 1e-6,
    qkv_bias: true,
    hidden_act: 'gelu',
  },
  qformer_config: {
    hidden_size: 128,
    intermediate_size: 384,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    cross_attention_frequency: 1,
    encoder_hidden_size: 128,
    layer_norm_eps: 1e-12,
    hidden_act: 'gelu',
  },
  text_config: {
    model_type: 'llama',
    hidden_size: 192,
    intermediate_size: 512,
    num_hidden_layers: 6,
    num_attention_heads: 6,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    tie_word_embeddings: true,
    max_position_embeddings: 256,
    hidden_act: 'silu',
  },
} as const;

export interface Phase {
  steps: number;
  batchSize: number;
  learningRate: LearningRateSchedule;
}

export interface Stage1Settings {
  seed: number;
  vocabularySize: number;
  /** Distinct scenes; none of them is in the demo's data, which draws from other seeds. */
  images: number;
  weightDecay: number;
  /** Encoder and Q-Former alone, on what is where. */
  vision: Phase;
  /** The whole model, on texts. */
  language: Phase;
}

export const STAGE1: Stage1Settings = {
  seed: 2308,
  vocabularySize: 1024,
  images: 16000,
  weightDecay: 0.05,
  vision: {
    steps: 3000,
    batchSize: 32,
    learningRate: { initial: 1e-5, peak: 2e-3, final: 2e-5, warmupSteps: 200 },
  },
  language: {
    steps: 7000,
    batchSize: 32,
    learningRate: { initial: 1e-5, peak: 1.2e-3, final: 2e-5, warmupSteps: 200 },
  },
};
