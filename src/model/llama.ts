/** The LLaMA language model (arXiv 2302.13971, 2307.09288), as `LlamaForCausalLM` of transformers. */
import { headSize, type LlamaConfig } from './files/llama.ts';
import { gatedSilu } from './layers/activation.ts';
import { type Adapter, type AdapterChoice, adaptedLinear, joinedLinear } from './layers/adapted-linear.ts';
import { attention, headsFirst, headsLast } from './layers/attention.ts';
import { gatherRows } from './layers/embedding.ts';
import { add, batchedLinear, linear } from './layers/linear.ts';
import { rmsNorm } from './layers/normalization.ts';
import { rotate, rotateForward } from './layers/rotary-embedding.ts';
import type { Ops } from './ops/ops.ts';
import type { Weights } from './ops/tape.ts';
import { frozen, type Tape, type Variable } from './ops/tape.ts';
import type { Value } from './ops/value.ts';

const PREFIX = 'language_model.';

/** Finds the adapter of a module, by its name, for an input `[rows, in]` of this shape. */
export type Adapters<One = Adapter | AdapterChoice> = (
  module: string,
  inputShape: readonly number[],
  tape: Tape,
) => One | undefined;

/**
 * Takes the keys and values of a layer's new tokens, `[batch, heads, tokens, headSize]` each, and gives those of
 * all tokens to attend to, which are the columns of the mask.
 */
export type LayerCache = (layer: number, keys: Value, values: Value) => { keys: Value; values: Value };

export interface LlamaInput {
  /** Input embeddings `[batch * tokens, hidden]`. */
  embeddings: Variable;
  batch: number;
  /**
   * Tables by row: one row a token where all sequences share positions and mask (`rows = tokens`), or one a
   * token of each sequence (`rows = batch * tokens`).
   */
  tables: {
    /** `[rows, headSize / 2]` */
    cosine: Value;
    /** `[rows, headSize / 2]` */
    sine: Value;
    /** additive, `[rows, tokens]` */
    mask: Value;
  };
  /** The places whose logits are wanted, `perSequence` of each sequence. */
  outputs: {
    perSequence: number;
    /** int32 `[batch * perSequence]` into the rows of the embeddings */
    rows: Value;
    /** int32 `[batch * perSequence]` into the rows of the tables */
    tableRows: Value;
  };
  /** Keep only what goes from layer to layer, and compute the inside of each layer again for its gradient. */
  activationCheckpointing?: boolean;
  /** Default: the new tokens see each other only. Nothing is learned through a cache. */
  cache?: LayerCache;
  /**
   * Finds several matrices with one input as one, for one product in place of several: query, key and value, gate and up.
   * Nothing is learned then, and adapters are chosen by sequence.
   */
  joined?: (names: readonly string[]) => Variable;
  /** Multiplies by a tied head as a batch of one matrix, which is faster for a few rows, and slower for one. */
  isHeadBatched?: boolean;
}

/** A token's place in the tables, cut to the shapes that attention broadcasts. */
interface Placement {
  cosine: Value;
  sine: Value;
  mask: Value;
}

function placement(ops: Ops, tables: LlamaInput['tables'], batch: number, perSequence: number): Placement {
  const rows = tables.mask.shape[0] as number;
  const sequences = rows === perSequence ? 1 : batch;
  const [half, tokens] = [tables.cosine.shape[1] as number, tables.mask.shape[1] as number];
  return {
    cosine: ops.reshape(tables.cosine, [sequences, 1, perSequence, half]),
    sine: ops.reshape(tables.sine, [sequences, 1, perSequence, half]),
    mask: ops.reshape(tables.mask, [sequences, 1, 1, perSequence, tokens]),
  };
}

/**
 * Logits at the wanted places.
 *
 * The last layer computes queries, attention and MLP only there: nothing else of it is ever read.
 *
 * @returns `[batch * perSequence, vocabulary]`
 */
export function llama(
  tape: Tape,
  weights: Weights,
  config: { text_config: LlamaConfig },
  input: LlamaInput,
  adapters: Adapters = () => undefined,
): Variable {
  const { ops } = tape;
  const { batch, tables, outputs, cache, joined } = input;
  const text = config.text_config;
  const tokens = (input.embeddings.value.shape[0] as number) / batch;
  const size = headSize(text);
  const scoped = (name: string) => weights(`${PREFIX}${name}`);

  const everywhere = placement(ops, tables, batch, tokens);
  const wantedTables = {
    cosine: ops.gather(tables.cosine, outputs.tableRows),
    sine: ops.gather(tables.sine, outputs.tableRows),
    mask: ops.gather(tables.mask, outputs.tableRows),
  };
  const wanted = placement(ops, wantedTables, batch, outputs.perSequence);

  const decoderLayer = (tape: Tape, entering: Variable, index: number) => {
    const layer = `model.layers.${index}`;
    const isLast = index === text.num_hidden_layers - 1;
    const place = isLast ? wanted : everywhere;
    const perSequence = isLast ? outputs.perSequence : tokens;
    const normalized = (x: Variable, name: string) => rmsNorm(tape, x, scoped(`${name}.weight`), text.rms_norm_eps);
    const projected = (x: Variable, module: string) =>
      adaptedLinear(tape, x, scoped(`${module}.weight`), adapters(`${PREFIX}${module}`, x.value.shape, tape));
    const heads = (x: Variable, count: number, perSequence: number) =>
      headsFirst(tape, x, { batch, tokens: perSequence, heads: count, headSize: size });

    const [queries, pairs] = [text.num_attention_heads, text.num_key_value_heads];
    const allOf = (x: Variable, modules: readonly [name: string, outputSize: number][]) =>
      joined && joinedLayers(tape, x, { modules, joined, adapters });

    const source = normalized(entering, `${layer}.input_layernorm`);
    const wantedOf = (x: Variable) => (isLast ? gatherRows(tape, x, outputs.rows) : x);
    const together = allOf(source, [
      [`${layer}.self_attn.q_proj`, queries * size],
      [`${layer}.self_attn.k_proj`, pairs * size],
      [`${layer}.self_attn.v_proj`, pairs * size],
    ]);
    const queried = wantedOf(together ? (together[0] as Variable) : source);
    const residual = wantedOf(entering);

    const query = heads(together ? queried : projected(queried, `${layer}.self_attn.q_proj`), queries, perSequence);
    const key = heads(together?.[1] ?? projected(source, `${layer}.self_attn.k_proj`), pairs, tokens);
    const value = heads(together?.[2] ?? projected(source, `${layer}.self_attn.v_proj`), pairs, tokens);
    const turn = (x: Variable, place: Placement) =>
      cache ? rotateForward(ops, x.value, place) : rotate(tape, x, place);
    const turned = turn(key, everywhere);
    const past = cache?.(index, turned.value, value.value);
    const [keys, values] = past ? [frozen(past.keys), frozen(past.values)] : [turned, value];
    const mixed = attention(tape, turn(query, place), keys, values, place.mask);
    const attended = add(tape, residual, projected(headsLast(tape, mixed), `${layer}.self_attn.o_proj`));

    const inner = normalized(attended, `${layer}.post_attention_layernorm`);
    const gated = allOf(inner, [
      [`${layer}.mlp.gate_proj`, text.intermediate_size],
      [`${layer}.mlp.up_proj`, text.intermediate_size],
    ]);
    const gate = gated?.[0] ?? projected(inner, `${layer}.mlp.gate_proj`);
    const up = gated?.[1] ?? projected(inner, `${layer}.mlp.up_proj`);
    return add(tape, attended, projected(gatedSilu(tape, gate, up), `${layer}.mlp.down_proj`));
  };

  let x = input.embeddings;
  for (let index = 0; index < text.num_hidden_layers; index++) {
    // The gradient starts at the last layer: what is inside is needed right away.
    const isRecomputed = input.activationCheckpointing && index < text.num_hidden_layers - 1;
    x = isRecomputed
      ? tape.recomputed([x], (inner, [entering]) => decoderLayer(inner, entering as Variable, index))
      : decoderLayer(tape, x, index);
  }
  const last = rmsNorm(tape, x, scoped('model.norm.weight'), text.rms_norm_eps);
  if (text.tie_word_embeddings) {
    const head = scoped('model.embed_tokens.weight');
    return input.isHeadBatched ? batchedLinear(tape, last, head) : linear(tape, last, head);
  }
  return adaptedLinear(tape, last, scoped('lm_head.weight'), adapters(`${PREFIX}lm_head`, last.value.shape, tape));
}

/** Layers of one input through their joined weight. */
function joinedLayers(
  tape: Tape,
  x: Variable,
  {
    modules,
    joined,
    adapters,
  }: {
    modules: readonly [name: string, outputSize: number][];
    joined: NonNullable<LlamaInput['joined']>;
    adapters: Adapters;
  },
): Variable[] {
  const layers = modules.map(([name, outputSize]) => ({
    outputSize,
    adapter: adapters(`${PREFIX}${name}`, x.value.shape, tape) as AdapterChoice | undefined,
  }));
  return joinedLinear(tape, x, joined(modules.map(([name]) => `${PREFIX}${name}.weight`)), layers);
}

/** Embeddings of token ids int32 `[n]`: `[n, hidden]`. */
export function embedTokens(tape: Tape, weights: Weights, ids: Value): Variable {
  return gatherRows(tape, weights(`${PREFIX}model.embed_tokens.weight`), ids);
}
