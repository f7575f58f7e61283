/** What belongs to a model beside its config and weights: tokenizer, image processor, chat templates, license. */
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { joinInside } from '../../core/inside.ts';
import { readRegularFile } from '../../core/regular-file.ts';
import { writeFileAtomically } from '../../core/write-file.ts';

/** Weights in any format, indexes of their shards, and what belongs to an adapter or to a training. */
const ofWeights =
  /\.(safetensors|bin|pth?|ckpt|h5|msgpack|onnx|gguf|npz|npy|pkl)$|\.index\.json$|^adapter_|^(trainer_state|optimizer|scheduler)\b/;
/** What a step of a round writes into its folder, which may be a model directory: `merged/`. */
const ofSteps = ['manifest.json', 'started.json', 'job.json', 'trainer.pid.json', 'fits-in-memory.json'];
/** `transformers` 5 saves named chat templates here. */
const templates = 'additional_chat_templates';

/** The paths of a model directory's companion files, relative to it, sorted. */
export async function companionFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const isTemplate = (name: string) => name.endsWith('.jinja');
  const named = entries.some(({ name }) => name === templates)
    ? (await readdir(path.join(directory, templates))).filter(isTemplate).map((name) => path.join(templates, name))
    : [];
  const isCompanion = (name: string) =>
    name !== 'config.json' && !/^\.|\.(tmp|log)$/.test(name) && !ofWeights.test(name) && !ofSteps.includes(name);
  return [...files.filter(isCompanion), ...named].toSorted();
}

/** Tokenizers are the largest. */
const mostBytes = 512 * 1024 * 1024;

/** Copies the companion files of a model directory into another. */
export async function copyCompanionFiles(from: string, to: string): Promise<void> {
  for (const name of await companionFiles(from)) {
    const target = joinInside(to, name);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFileAtomically(target, await readRegularFile(joinInside(from, name), mostBytes));
  }
}
