/** The tiny BLIP-2 fixture taken apart into what people download, as safetensors, which need no Python. */
import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { writeJson } from '../../../../../src/core/write-file.ts';
import { openSafetensors, type TensorToWrite, writeSafetensors } from '../../../../../src/model/files/safetensors.ts';
import { trainTokenizer, writeTokenizer } from '../../../../../src/model/text/train-tokenizer.ts';

export const whole = 'test/fixtures/tiny-blip2';

export type Tensors = Map<string, TensorToWrite>;

/** All tensors of a safetensors file. */
export async function tensorsIn(file: string): Promise<Tensors> {
  const opened = await openSafetensors(file);
  try {
    const tensors: Tensors = new Map();
    for (const { name, shape } of opened.tensors.values()) {
      tensors.set(name, { name, shape, data: await opened.read(name) });
    }
    return tensors;
  } finally {
    await opened.close();
  }
}

/** Those whose name the function keeps, under the name it gives. */
export function renamed(tensors: Tensors, rename: (name: string) => string | undefined): Tensors {
  return new Map(
    [...tensors].flatMap(([name, tensor]) => {
      const other = rename(name);
      return other === undefined ? [] : [[other, { ...tensor, name: other }]];
    }),
  );
}

export interface Downloads {
  llama: string;
  blip2: string;
  projection: string;
}

/** Writes a LLaMA directory of two shards, a BLIP-2 directory with another language model, and a projection. */
export async function writeDownloads(
  folder: string,
  config: { text_config: object },
  change: (part: keyof Downloads, tensors: Tensors) => Tensors = (_, tensors) => tensors,
): Promise<Downloads> {
  const ours = await tensorsIn(path.join(whole, 'model.safetensors'));
  const places = {
    llama: path.join(folder, 'vicuna'),
    blip2: path.join(folder, 'blip2'),
    projection: path.join(folder, 'stage1.safetensors'),
  };
  await mkdir(places.llama, { recursive: true });
  await writeJson(path.join(places.llama, 'config.json'), { ...config.text_config, torch_dtype: 'float16' });
  await writeTokenizer(places.llama, trainTokenizer([], 260), 64);
  const llama = change(
    'llama',
    renamed(ours, (name) => (name.startsWith('language_model.') ? name.slice('language_model.'.length) : undefined)),
  );
  const [first, second] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
  const isFirst = (name: string) => name.includes('.layers.0.');
  await writeSafetensors(
    path.join(places.llama, first),
    [...llama.values()].filter(({ name }) => isFirst(name)),
  );
  await writeSafetensors(
    path.join(places.llama, second),
    [...llama.values()].filter(({ name }) => !isFirst(name)),
  );
  await writeJson(path.join(places.llama, 'model.safetensors.index.json'), {
    weight_map: Object.fromEntries([...llama.keys()].map((name) => [name, isFirst(name) ? first : second])),
  });

  await mkdir(places.blip2, { recursive: true });
  await cp(path.join(whole, 'preprocessor_config.json'), path.join(places.blip2, 'preprocessor_config.json'));
  await writeJson(path.join(places.blip2, 'config.json'), { ...config, text_config: { model_type: 't5' } });
  const foreign: TensorToWrite = { name: 'language_model.shared.weight', shape: [2], data: Float32Array.of(1, 2) };
  const blip2 = renamed(ours, (name) => (/^(vision_model|qformer|query_tokens)/.test(name) ? name : undefined));
  await writeSafetensors(
    path.join(places.blip2, 'model.safetensors'),
    change('blip2', new Map([...blip2, [foreign.name, foreign]])).values(),
  );
  const projection = renamed(ours, (name) =>
    name.startsWith('language_projection.') ? name.replace('language_projection', 'llama_proj') : undefined,
  );
  await writeSafetensors(places.projection, change('projection', projection).values());
  return places;
}

/** LAVIS's name of one of our tensors of the vision side. */
export function lavisName(name: string): string {
  return name
    .replace('vision_model.post_layernorm', 'ln_vision')
    .replace('vision_model.embeddings.class_embedding', 'cls_token')
    .replace('vision_model.embeddings.position_embedding', 'pos_embed')
    .replace('vision_model.embeddings.patch_embedding', 'patch_embed.proj')
    .replace(/vision_model\.encoder\.layers\.(\d+)\.layer_norm/, 'blocks.$1.norm')
    .replace(/vision_model\.encoder\.layers\.(\d+)\.self_attn\.projection/, 'blocks.$1.attn.proj')
    .replace(/vision_model\.encoder\.layers\.(\d+)\.self_attn\.qkv/, 'blocks.$1.attn.qkv')
    .replace(/vision_model\.encoder\.layers\.(\d+)\.mlp/, 'blocks.$1.mlp')
    .replace('qformer.layernorm', 'Qformer.bert.embeddings.LayerNorm')
    .replace(/qformer\.(.*attention)\.attention\./, 'Qformer.bert.$1.self.')
    .replace('qformer.', 'Qformer.bert.');
}
