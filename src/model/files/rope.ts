/** Rotary positions as `config.json` gives them: one form of the spellings that versions of `transformers` wrote. */
import { z } from 'zod';
import { describeIssue } from '../../core/describe-issue.ts';
import { sizes } from './config-sizes.ts';

/** Fields of other kinds of positions, which `transformers` keeps and does not read. */
const ofOtherKinds = {
  factor: z.unknown(),
  low_freq_factor: z.unknown(),
  high_freq_factor: z.unknown(),
  original_max_position_embeddings: z.unknown(),
  attention_factor: z.unknown(),
  beta_fast: z.unknown(),
  beta_slow: z.unknown(),
  mscale: z.unknown(),
  mscale_all_dim: z.unknown(),
  truncate: z.unknown(),
  long_factor: z.unknown(),
  short_factor: z.unknown(),
  // All positions of a LLaMA turn; 1 is what the field says then.
  partial_rotary_factor: z.literal(1, { error: 'only whole heads are turned here: must be 1' }),
};
const others = z.object(ofOtherKinds).partial().shape;

const plain = z.strictObject({ ...others, rope_type: z.literal('default') });
const linear = z.strictObject({ ...others, rope_type: z.literal('linear'), factor: z.number().positive() });
const llama3 = z.strictObject({
  ...others,
  rope_type: z.literal('llama3'),
  factor: z.number().positive(),
  low_freq_factor: z.number().positive(),
  high_freq_factor: z.number().positive(),
  original_max_position_embeddings: sizes.positions,
});
const known = z.discriminatedUnion('rope_type', [plain, linear, llama3]).transform((rope) => {
  if (rope.rope_type === 'default') return undefined;
  const { rope_type, factor } = rope;
  if (rope_type === 'linear') return { rope_type, factor };
  const { low_freq_factor, high_freq_factor, original_max_position_embeddings } = rope;
  return { rope_type, factor, low_freq_factor, high_freq_factor, original_max_position_embeddings };
});

/** As `withOneRope` gives them; none for plain ones. */
export const ropeScalingSchema = known.nullish().transform((scaling) => scaling ?? undefined);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The config with `rope_theta` and `rope_scaling` alone, as `RotaryEmbeddingConfigMixin` of `transformers` 5.23 reads it:
 * `rope_scaling` before `rope_parameters`, a `rope_theta` inside before the one outside, `rope_type` before `type`, and an
 * `original_max_position_embeddings` outside before the one inside.
 */
export function withOneRope(value: unknown, context: z.RefinementCtx): unknown {
  if (!isRecord(value)) return value;
  const { rope_parameters, rope_scaling, rope_theta, original_max_position_embeddings, ...config } = value;
  const field = isRecord(rope_scaling) && Object.keys(rope_scaling).length > 0 ? 'rope_scaling' : 'rope_parameters';
  const { type, ...inside } = recordIn(value, field, context);
  const kind = inside.rope_type ?? type ?? 'default';
  const { rope_theta: ownTheta, ...settings } = inside;
  const theta = ownTheta ?? rope_theta;
  const rope = known.safeParse({
    ...settings,
    rope_type: kind,
    ...(kind === 'llama3' && {
      original_max_position_embeddings:
        original_max_position_embeddings ??
        inside.original_max_position_embeddings ??
        config.max_position_embeddings ??
        2048,
    }),
  });
  for (const issue of rope.error?.issues ?? []) {
    const { path, problem } = describeIssue(issue);
    context.addIssue({ code: 'custom', path: [field, ...path], message: problem });
  }
  return { ...config, ...(theta !== undefined && { rope_theta: theta }), rope_scaling: rope.data };
}

function recordIn(value: Record<string, unknown>, field: string, context: z.RefinementCtx): Record<string, unknown> {
  const found = value[field] ?? {};
  if (isRecord(found)) return found;
  context.addIssue({ code: 'custom', path: [field], message: 'must be an object' });
  return {};
}
