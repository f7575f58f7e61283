/**
 * How an adapter names its base model: another machine must be able to find it, so no path of this machine is written.
 */
import { basename, join, relative, sep } from 'node:path';
import { z } from 'zod';
import type { Config } from '../../config/schema.ts';
import { readJson } from '../../core/read-json.ts';
import { writeFileAtomically, writeJson } from '../../core/write-file.ts';

export const adapterConfigFile = 'adapter_config.json';
/** Says how the adapter is loaded, and where its base model is. */
export const adapterNoteFile = 'README.md';

/**
 * The base model's name: `model.hubId`; else its folder, from the folder that commands are run in or, where it is elsewhere,
 * the folder's name alone. It starts with `./`: the Hub's libraries would take `data/stage1` for somebody's model there.
 */
export function baseModelName({ model: { path, hubId } }: Pick<Config, 'model'>, from = process.cwd()): string {
  if (hubId !== undefined) return hubId;
  const inside = relative(from, path);
  return `./${inside === '' || inside.startsWith('..') ? basename(path) : inside.split(sep).join('/')}`;
}

/** Writes the base model's name into a PEFT adapter's settings, and a note beside them. */
export async function nameBaseModel(directory: string, config: Pick<Config, 'model'>): Promise<void> {
  const file = join(directory, adapterConfigFile);
  const settings = await readJson(file, z.record(z.string(), z.unknown()));
  const name = baseModelName(config);
  await writeJson(file, { ...settings, base_model_name_or_path: name });
  await writeFileAtomically(join(directory, adapterNoteFile), noteAbout(name, config.model.hubId !== undefined));
}

function noteAbout(name: string, onHub: boolean): string {
  const where = onHub
    ? `Its base model is [${name}](https://huggingface.co/${name}) on the Hub.`
    : `Its base model is the folder \`${name}\` of the project that the run was started in. Elsewhere, give its path: \`PeftModel.from_pretrained(base, adapter)\` does not read the name. A config's \`model.hubId\` names a model of the Hub instead.`;
  // The Hub refuses a card whose base model is no id.
  const metadata = onHub ? `base_model: ${name}\n` : '';
  return `---\n${metadata}library_name: peft\n---\n\nA LoRA adapter (PEFT). ${where}\n`;
}
