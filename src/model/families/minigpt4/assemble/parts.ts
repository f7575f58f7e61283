/** The parts of a MiniGPT-4, each taken out of the checkpoint it comes in. */
import { InputError } from '../../../../core/input-error.ts';
import type { FoundTensors } from '../../../files/tensor-directory.ts';
import { HEAD, hasTiedHead } from '../../../files/tied-head.ts';
import {
  evaIgnored,
  evaPrefix,
  evaRules,
  huggingFaceIgnored,
  huggingFaceRules,
  lavisIgnored,
  lavisRules,
  llamaIgnored,
  llamaRules,
  ourName,
  projectionRules,
} from './official-names.ts';
import type { SourceTensor, TensorSource } from './source-tensor.ts';

/** Tensors by our names. */
export type Parts = Map<string, SourceTensor>;

/** The language model, and whether its head is tied: see `hasTiedHead`. */
export async function llamaPart(
  { tensors }: TensorSource,
  asksForTiedHead: boolean,
): Promise<{ parts: Parts; isTied: boolean }> {
  const parts = take(tensors, (name) => ourName(name, llamaRules, llamaIgnored));
  const isTied = await hasTiedHead(foundTensors(parts), asksForTiedHead);
  // It is the embeddings under a second name.
  if (isTied) parts.delete(HEAD);
  return { parts, isTied };
}

function foundTensors(parts: Parts): FoundTensors {
  const valuesOf = (name: string) => (parts.get(name) as SourceTensor).read();
  return {
    has: (name) => parts.has(name),
    async areEqual(one, other) {
      const [values, others] = [await valuesOf(one), await valuesOf(other)];
      return values.length === others.length && values.every((value, place) => value === others[place]);
    },
    rename(from, to) {
      parts.set(to, parts.get(from) as SourceTensor);
      parts.delete(from);
    },
  };
}

/** The projection to the language model. */
export function projectionPart({ tensors }: TensorSource): Parts {
  return take(tensors, (name) => ourName(name, projectionRules));
}

/** Whether a BLIP-2 checkpoint has the names of Hugging Face, rather than those of LAVIS. */
export function isHuggingFaceLayout({ tensors }: TensorSource): boolean {
  return [...tensors.keys()].some((name) => /^(vision_model|qformer)\./.test(name));
}

/**
 * Vision encoder and Q-Former.
 *
 * @param vision the vision encoder, where the BLIP-2 checkpoint lacks it, as those of LAVIS do
 * @throws InputError when both have a vision encoder, or neither
 */
export function visionParts(blip2: TensorSource, vision?: TensorSource): Parts {
  if (isHuggingFaceLayout(blip2)) {
    if (vision) throw twoEncoders(vision);
    return take(blip2.tensors, (name) => ourName(name, huggingFaceRules, huggingFaceIgnored));
  }
  const isOfEncoder = (name: string) => name.startsWith(evaPrefix);
  const own = [...blip2.tensors].filter(([name]) => isOfEncoder(name));
  const rest = [...blip2.tensors].filter(([name]) => !isOfEncoder(name));
  const queryTransformer = take(new Map(rest), (name) => ourName(name, lavisRules, lavisIgnored));
  if (own.length > 0) {
    if (vision) throw twoEncoders(vision);
    return new Map([
      ...queryTransformer,
      ...encoder(new Map(own.map(([name, tensor]) => [name.slice(evaPrefix.length), tensor]))),
    ]);
  }
  if (!vision) {
    throw new InputError({
      file: blip2.place,
      problem: 'has no vision encoder',
      remedy: 'Give it as --vision: eva_vit_g.pth, as MiniGPT-4 uses it',
    });
  }
  return new Map([...queryTransformer, ...encoder(withoutLastBlock(vision.tensors))]);
}

function encoder(tensors: ReadonlyMap<string, SourceTensor>): Parts {
  const parts = take(tensors, (name) => ourName(name, evaRules, evaIgnored));
  for (const [name, query] of parts) {
    if (!name.endsWith('#query')) continue;
    const whole = name.slice(0, -'#query'.length);
    const value = parts.get(`${whole}#value`);
    if (!value) throw tensorError(query, 'has no v_bias beside it', 'Download the file again');
    parts.delete(name);
    parts.delete(`${whole}#value`);
    parts.set(whole, joinedBias(query, value));
  }
  return parts;
}

function joinedBias(query: SourceTensor, value: SourceTensor): SourceTensor {
  const size = query.shape[0] ?? 0;
  const shape = [2 * size + (value.shape[0] ?? 0)];
  const read = async () => {
    const joined = new Float32Array(shape[0] as number);
    joined.set(await query.read());
    joined.set(await value.read(), 2 * size);
    return joined;
  };
  return { ...query, shape, read };
}

/** EVA has 40 blocks, of which BLIP-2 and MiniGPT-4 use all but the last. */
function withoutLastBlock(tensors: ReadonlyMap<string, SourceTensor>): Map<string, SourceTensor> {
  const blockOf = (name: string) => Number(/^blocks\.(\d+)\./.exec(name)?.[1] ?? -1);
  const last = Math.max(...[...tensors.keys()].map(blockOf));
  return new Map([...tensors].filter(([name]) => last < 0 || blockOf(name) !== last));
}

function take(tensors: ReadonlyMap<string, SourceTensor>, nameOf: (name: string) => string | undefined): Parts {
  const parts: Parts = new Map();
  for (const [name, tensor] of tensors) {
    const ours = nameOf(name);
    if (ours === undefined) {
      throw tensorError(tensor, 'is not a tensor of this part of a MiniGPT-4', 'Check that this is the right file');
    }
    if (ours !== 'none') parts.set(ours, tensor);
  }
  return parts;
}

function twoEncoders(vision: TensorSource): InputError {
  const problem = 'is a second vision encoder: the BLIP-2 checkpoint has one';
  return new InputError({ file: vision.place, problem, remedy: 'Leave --vision out' });
}

/** The error of a tensor that should not be there, or should differ. */
export function tensorError({ file, name }: SourceTensor, problem: string, remedy: string): InputError {
  return new InputError({ file, field: name, problem, remedy });
}
