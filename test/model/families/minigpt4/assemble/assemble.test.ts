import { access, cp, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { pythonOfSetup } from '../../../../../src/core/setup-file.ts';
import { writeJson } from '../../../../../src/core/write-file.ts';
import { assemble } from '../../../../../src/model/families/minigpt4/assemble/assemble.ts';
import { openPickle } from '../../../../../src/model/families/minigpt4/assemble/pickle.ts';
import { readModelDirectory } from '../../../../../src/model/files/model-directory.ts';
import { type TensorToWrite, writeSafetensors } from '../../../../../src/model/files/safetensors.ts';
import { loadTokenizer } from '../../../../../src/model/text/tokenizer.ts';
import { temporaryFolder } from '../../../../helpers/temporary-folder.ts';
import { type Downloads, lavisName, renamed, type Tensors, tensorsIn, whole, writeDownloads } from './downloads.ts';

const config = JSON.parse(await readFile(path.join(whole, 'config.json'), 'utf8')) as { text_config: object };
const noPython = async () => {
  throw new Error('Python was asked for');
};

async function expectWhole(directory: string, tolerance = 0, except: readonly string[] = []): Promise<void> {
  const wanted = await tensorsIn(path.join(whole, 'model.safetensors'));
  const model = await readModelDirectory(directory);
  try {
    expect(model.names().toSorted()).toEqual([...wanted.keys()].toSorted());
    for (const [name, { shape, data }] of wanted) {
      const found = await model.read(name);
      expect(found.shape, name).toEqual(shape);
      if (except.some((part) => name.includes(part))) continue;
      const off = found.data.map((value, index) => Math.abs(value - ((data as Float32Array)[index] as number)));
      expect(Math.max(...off), name).toBeLessThanOrEqual(tolerance);
    }
  } finally {
    await model.close();
  }
}

describe('from directories in the layout of Hugging Face', () => {
  test('the whole model: config, every tensor, tokenizer, image processor, generation settings', async () => {
    const folder = await temporaryFolder();
    const downloads = await writeDownloads(folder, config);
    const output = path.join(folder, 'minigpt4');
    const progress: number[] = [];
    const result = await assemble({ ...downloads, output, dtype: 'F32' }, noPython, (done) => progress.push(done));
    expect(progress).toEqual(Array.from({ length: result.tensors }, (_, index) => index + 1));
    await expectWhole(output);
    const original = await readModelDirectory(whole);
    const assembled = await readModelDirectory(output);
    for (const part of ['vision_config', 'qformer_config'] as const) {
      expect(assembled.config[part]).toMatchObject(original.config[part] as object);
    }
    expect(assembled.config.text_config).toMatchObject(original.config.text_config);
    expect(assembled.weightsHash).toBe(original.weightsHash);
    await Promise.all([original.close(), assembled.close()]);
    expect((await readdir(output)).toSorted()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'preprocessor_config.json',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(JSON.parse(await readFile(path.join(output, 'generation_config.json'), 'utf8'))).toEqual({
      bos_token_id: 0,
      eos_token_id: 1,
      pad_token_id: 2,
    });
  });

  test.each([
    [
      'with other values than the embeddings is kept, though the config asks for a tied one',
      'model.embed_tokens.weight',
      false,
    ],
    ['alone is the embeddings too, where the config asks for a tied one', 'lm_head.weight', true],
  ])('a head %s', async (_, embeddings, isTied) => {
    const folder = await temporaryFolder();
    let language: Tensors = new Map();
    const text_config = { ...config.text_config, tie_word_embeddings: true };
    const downloads = await writeDownloads(folder, { ...config, text_config }, (part, tensors) => {
      if (part !== 'llama') return tensors;
      language = tensors;
      return isTied ? renamed(tensors, (name) => (name.includes('embed_tokens') ? undefined : name)) : tensors;
    });
    const output = path.join(folder, 'minigpt4');
    await assemble({ ...downloads, output, dtype: 'F32' }, noPython);
    const model = await readModelDirectory(output);
    expect(model.config.text_config.tie_word_embeddings).toBe(isTied);
    expect((await model.read('language_model.model.embed_tokens.weight')).data).toEqual(language.get(embeddings)?.data);
    if (!isTied) {
      expect((await model.read('language_model.lm_head.weight')).data).toEqual(language.get('lm_head.weight')?.data);
    }
    await model.close();
  });

  test("12-begin-token: where Vicuna's config and its tokenizer disagree, the tokenizer's ids are written", async () => {
    const folder = await temporaryFolder();
    const vicunas = { bos_token_id: 0, eos_token_id: 1, pad_token_id: -1 };
    const downloads = await writeDownloads(folder, { ...config, text_config: { ...config.text_config, ...vicunas } });
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
      await cp(path.join('test/fixtures/tokenizer-config', name), path.join(downloads.llama, name));
    }
    await rm(path.join(downloads.llama, 'special_tokens_map.json'));
    await writeJson(path.join(downloads.llama, 'generation_config.json'), { ...vicunas, temperature: 0.9 });
    const output = path.join(folder, 'minigpt4');
    const { problem } = await assemble({ ...downloads, output, dtype: 'F32' }, noPython);
    expect(problem).toContain("bos_token_id is 0, but the tokenizer's begin token has id 1");
    const wanted = { bos_token_id: 1, eos_token_id: 2, pad_token_id: 3 };
    const assembled = await readModelDirectory(output);
    await assembled.close();
    expect(assembled.config.text_config).toMatchObject(wanted);
    const generation = JSON.parse(await readFile(path.join(output, 'generation_config.json'), 'utf8'));
    expect(generation).toEqual({ ...wanted, temperature: 0.9 });
  });

  test('in shards with an index, as float16; a second writing leaves nothing of the first', async () => {
    const folder = await temporaryFolder();
    const downloads = await writeDownloads(folder, config);
    const output = path.join(folder, 'minigpt4');
    await assemble({ ...downloads, output, dtype: 'F16', maximumShardBytes: 30_000 }, noPython);
    const shards = (await readdir(output)).filter((name) => name.endsWith('.safetensors'));
    expect(shards.length).toBeGreaterThan(2);
    expect(shards[0]).toMatch(new RegExp(`^model-00001-of-0000${shards.length}`));
    await expectWhole(output, 1e-3);
    await assemble({ ...downloads, output, dtype: 'F32' }, noPython);
    expect((await readdir(output)).filter((name) => /model[.-]/.test(name))).toEqual(['model.safetensors']);
    await expectWhole(output);
  });
});

describe('from the files of LAVIS and MiniGPT-4', () => {
  /** Vision encoder with a block too many, Q-Former with a text branch. */
  async function lavisFiles(folder: string): Promise<{ blip2: string; vision: string }> {
    const ours = await tensorsIn(path.join(whole, 'model.safetensors'));
    const eva = renamed(ours, (name) =>
      name.startsWith('vision_model.') && !name.includes('post_layernorm') ? lavisName(name) : undefined,
    );
    for (const [name, { data }] of [...eva].filter(([key]) => key.endsWith('attn.qkv.bias'))) {
      eva.delete(name);
      const values = data as Float32Array;
      const size = values.length / 3;
      for (const [bias, from] of [['q_bias', 0] as const, ['v_bias', 2 * size] as const]) {
        const other = name.replace('qkv.bias', bias);
        eva.set(other, { name: other, shape: [size], data: values.slice(from, from + size) });
      }
    }
    for (const [name, tensor] of [...eva].filter(([key]) => key.startsWith('blocks.0.'))) {
      const other = name.replace('blocks.0.', 'blocks.2.');
      eva.set(other, { ...tensor, name: other });
    }
    const extra = (name: string): [string, TensorToWrite] => [name, { name, shape: [1], data: Float32Array.of(7) }];
    const asked = renamed(ours, (name) =>
      /^(qformer|query_tokens|vision_model\.post)/.test(name) ? lavisName(name) : undefined,
    );
    const places = { blip2: path.join(folder, 'blip2.safetensors'), vision: path.join(folder, 'eva.safetensors') };
    await writeSafetensors(places.vision, new Map([...eva, extra('norm.weight'), extra('head.bias')]).values());
    const unused = ['t5_proj.bias', 'Qformer.cls.predictions.bias', 'Qformer.bert.encoder.layer.0.output.dense.bias'];
    await writeSafetensors(places.blip2, new Map([...asked, ...unused.map(extra)]).values());
    return places;
  }

  test('names are mapped, the biases of the vision encoder joined, its last block and the text branch left out', async () => {
    const folder = await temporaryFolder();
    const { llama, projection } = await writeDownloads(folder, config);
    const output = path.join(folder, 'minigpt4');
    const { config: made } = await assemble(
      { llama, projection, ...(await lavisFiles(folder)), output, dtype: 'F32' },
      noPython,
    );
    await expectWhole(output, 0, ['self_attn.qkv.bias']);
    expect(made.vision_config).toMatchObject({ hidden_size: 24, num_hidden_layers: 2, image_size: 28, patch_size: 7 });
    expect(made.qformer_config).toMatchObject({ num_hidden_layers: 4, cross_attention_frequency: 2 });
    const processor = JSON.parse(await readFile(path.join(output, 'preprocessor_config.json'), 'utf8'));
    expect(processor).toMatchObject({ size: { height: 28, width: 28 }, resample: 3 });

    const ours = await tensorsIn(path.join(whole, 'model.safetensors'));
    const name = 'vision_model.encoder.layers.1.self_attn.qkv.bias';
    const bias = ours.get(name)?.data as Float32Array;
    const model = await readModelDirectory(output);
    expect([...(await model.read(name)).data]).toEqual(
      [...bias].map((value, index) => (index >= 24 && index < 48 ? 0 : value)),
    );
    await model.close();
  });

  test('a Q-Former file alone lacks the vision encoder; a Hugging Face directory has one already', async () => {
    const folder = await temporaryFolder();
    const downloads = await writeDownloads(folder, config);
    const { blip2, vision } = await lavisFiles(folder);
    const output = path.join(folder, 'minigpt4');
    await expect(assemble({ ...downloads, blip2, output, dtype: 'F32' }, noPython)).rejects.toThrow(
      `${blip2}: has no vision encoder. Give it as --vision`,
    );
    await expect(assemble({ ...downloads, vision, output, dtype: 'F32' }, noPython)).rejects.toThrow(
      `${vision}: is a second vision encoder`,
    );
  });
});

describe('errors name file and tensor, and nothing is written', () => {
  const tensor = (name: string, shape: number[]): [string, TensorToWrite] => [
    name,
    { name, shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) },
  ];
  const without = (tensors: Tensors, name: string) => new Map([...tensors].filter(([key]) => key !== name));

  test.each<[string, keyof Downloads, (tensors: Tensors) => Tensors, string]>([
    [
      'a missing tensor',
      'llama',
      (all) => without(all, 'model.norm.weight'),
      'vicuna: language_model.model.norm.weight: is missing',
    ],
    [
      'another shape: the projection of a model without a Q-Former',
      'projection',
      (all) => new Map([...all, tensor('llama_proj.weight', [32, 64])]),
      'stage1.safetensors: llama_proj.weight: has shape [32, 64], but as language_projection.weight it must have [32, 16]',
    ],
    [
      'a tensor of another kind of model',
      'projection',
      (all) => new Map([...all, tensor('mm_projector.weight', [2])]),
      'stage1.safetensors: mm_projector.weight: is not a tensor of this part of a MiniGPT-4',
    ],
    [
      'a layer too many',
      'llama',
      (all) => new Map([...all, tensor('model.layers.2.input_layernorm.weight', [32])]),
      'model.layers.2.input_layernorm.weight: is not in the model that the config describes',
    ],
  ])('%s', async (_, part, change, message) => {
    const folder = await temporaryFolder();
    const downloads = await writeDownloads(folder, config, (own, all) => (own === part ? change(all) : all));
    const output = path.join(folder, 'minigpt4');
    const failure = await assemble({ ...downloads, output, dtype: 'F32' }, noPython).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'InputError' });
    expect((failure as Error).message).toContain(message);
    await expect(access(output)).rejects.toThrow();
  });
});

const python = await pythonOfSetup('python').catch(() => undefined);
describe.skipIf(python === undefined)(
  'pickles, which need Python (`dataengine setup --python`)',
  { timeout: 600_000 },
  () => {
    const official = 'test/fixtures/official-checkpoints';
    const files = {
      llama: path.join(official, 'vicuna'),
      blip2: path.join(official, 'blip2_pretrained_flant5xxl.pth'),
      vision: path.join(official, 'eva_vit_g.pth'),
      projection: path.join(official, 'stage1.pth'),
      dtype: 'F32' as const,
    };

    test('sharded .bin, .pth of both formats, float32 and bfloat16, and a SentencePiece tokenizer', async () => {
      const output = path.join(await temporaryFolder(), 'minigpt4');
      const { config: made, problem } = await assemble({ ...files, output }, () => pythonOfSetup('python'));
      // 12-begin-token: its config has 0, 1 and -1.
      expect(made.text_config).toMatchObject({ bos_token_id: 1, eos_token_id: 2, pad_token_id: 0 });
      expect(problem).toContain("the tokenizer's begin token has id 1");
      // The second layer's MLP is kept as bfloat16 there.
      await expectWhole(output, 0, ['self_attn.qkv.bias', 'layers.1.mlp']);
      const tokenizer = await loadTokenizer(output);
      const { text, ids } = JSON.parse(await readFile(path.join(official, 'encoded.json'), 'utf8'));
      expect(await tokenizer.encode(text)).toEqual(ids);
    });

    test('one that would run code is refused, and nothing is run; a damaged one is named', async () => {
      const executable = await pythonOfSetup('python');
      await expect(openPickle(path.join(official, 'harmful.pth'), executable)).rejects.toThrow(
        /harmful\.pth: PyTorch can't read it: Weights only load failed/,
      );
      await expect(access('code-of-a-checkpoint-was-run')).rejects.toThrow();
      await expect(openPickle(path.join(official, 'encoded.json'), executable)).rejects.toThrow(
        /encoded\.json: PyTorch can't read it/,
      );
    });
  },
);
