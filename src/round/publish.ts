/** What `dataengine hub push` writes: folders with a card, as a repository of the Hub has them. */
import { copyFile, link, mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import { fileExists } from '../core/files.ts';
import { InputError } from '../core/input-error.ts';
import { joinInside } from '../core/inside.ts';
import { requireUnpruned } from '../core/pruned.ts';
import { readJson, readSettings } from '../core/read-json.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import { writeFileAtomically, writeJson } from '../core/write-file.ts';
import { type CardScore, lineageTable, scoresSection } from '../datasets/card-sections.ts';
import { type DatasetVersion, lineageOf, parentOf, versionHistory } from '../datasets/versions.ts';
import { readScores, scoresFile } from '../evaluation/evaluation-files.ts';
import { baseModelName } from './finetune/base-model-name.ts';
import { adapterFile } from './finetune/results.ts';
import { stepDirectory } from './step-directory.ts';

export interface ModelToPublish {
  run: RunDirectory;
  config: Config;
  round: number;
  kind: 'adapter' | 'model';
  /** As the Hub names it, such as `apache-2.0`. */
  license: string;
  /** The base model's name on the Hub, `owner/name`. */
  baseModel?: string | undefined;
}

/** What steps write for themselves beside a merged model. */
const stepsOwn =
  /^(job|manifest|started|pruned|trainer\.pid|fits-in-memory)\.json$|^trainer\.log$|\.(tmp|partial)(\/|$)/;
/** The card of the base model, which a merged model's folder has with all other files of it. */
const baseCardFile = 'BASE_MODEL_README.md';

/**
 * The scores of rounds that are evaluated, with their intervals, one a benchmark and set.
 *
 * @throws InputError for a file of scores that is damaged
 */
export async function scoresOfRounds(run: RunDirectory, rounds: readonly number[]): Promise<CardScore[]> {
  const scores: CardScore[] = [];
  for (const round of rounds) {
    const folder = stepDirectory(run, round, 'evaluate');
    const inner = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const names = inner.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    for (const one of [folder, ...names.sort().map((name) => joinInside(folder, name))]) {
      if (!(await fileExists(join(one, scoresFile)))) continue;
      const { title, set, blind, measures } = await readScores(one);
      const of = `${title}, ${set}${blind ? ', without images' : ''}`;
      for (const [measure, { value, low, high, count }] of Object.entries(measures)) {
        scores.push({ round, of, measure, value, low, high, count });
      }
    }
  }
  return scores;
}

/**
 * Fills a folder with a round's adapter or merged model and its card. Files are links to those of the run where the disk
 * allows it. No path of this machine is in it: the adapter names its base model by `baseModel`, by `model.hubId`, or by its folder.
 *
 * @throws InputError when the round has no such step
 */
export async function writeModelFolder(folder: string, model: ModelToPublish): Promise<void> {
  const { run, round, kind, config, baseModel = config.model.hubId } = model;
  const step = kind === 'adapter' ? 'finetune' : 'merge';
  const source = stepDirectory(run, round, step);
  if (!(await fileExists(join(source, 'manifest.json')))) {
    const problem = `round ${round} has no ${kind === 'adapter' ? 'adapter' : 'merged model'}`;
    throw new InputError({
      file: source,
      problem,
      remedy: `Run its step ${step} first, or name another round (--round)`,
    });
  }
  if (kind === 'model') await requireUnpruned(source);
  const base = baseModel ?? baseModelName(config);
  // The adapter's settings are written anew below.
  for (const name of kind === 'adapter' ? [adapterFile] : await modelFiles(source)) {
    const target = joinInside(folder, name === 'README.md' ? baseCardFile : name);
    await mkdir(dirname(target), { recursive: true });
    await link(joinInside(source, name), target).catch(() => copyFile(joinInside(source, name), target));
  }
  if (kind === 'adapter') {
    const settings = await readJson(join(source, 'adapter_config.json'), z.record(z.string(), z.unknown()));
    await writeJson(join(folder, 'adapter_config.json'), { ...settings, base_model_name_or_path: base });
  }
  await writeFileAtomically(join(folder, 'README.md'), await modelCard({ ...model, baseModel }, base));
}

/** All files of a merged model, relative to its folder; named chat templates have a folder of their own. */
async function modelFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  return files
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .filter((name) => !stepsOwn.test(name));
}

async function modelCard(
  { run, round, kind, license, config, baseModel }: ModelToPublish,
  base: string,
): Promise<string> {
  const lineage = await trainedOn(run.root, round);
  const scores = await scoresOfRounds(run, [round]);
  const metadata = {
    license,
    ...(baseModel !== undefined && { base_model: baseModel }),
    library_name: kind === 'adapter' ? 'peft' : 'transformers',
    pipeline_tag: 'image-text-to-text',
    tags: ['mllm-dataengine'],
    'model-index': modelIndex(basename(run.root), scores),
  };
  const what = kind === 'adapter' ? 'A LoRA adapter (PEFT)' : 'A merged model';
  const data =
    lineage.length === 0
      ? config.finetune.round0Adapter === undefined
        ? 'No generated data: it was trained on the base datasets alone.\n'
        : 'None in this run, whose round 0 took an adapter that was trained before: `finetune.round0Adapter`.\n'
      : `Besides the base datasets, questions that a teacher model wrote for the question types that the model was worst at:\n\n${lineageTable(lineage)}`;
  return `---
${stringify(metadata)}---

# ${basename(run.root)}, round ${round}

${what} of ${base}, finetuned by [MLLM-DataEngine](https://arxiv.org/abs/2308.13566), round ${round} of its run.

## Training data

${data}${scoresSection('Scores', scores)}${kind === 'model' ? await askingSection(stepDirectory(run, round, 'merge')) : ''}
## License

${license}. The license of the base model${kind === 'adapter' ? '' : ', whose files are part of this one,'} holds too.
`;
}

async function askingSection(model: string): Promise<string> {
  const { model_type } = await readSettings(join(model, 'config.json'), z.looseObject({ model_type: z.string() }));
  const how =
    model_type === 'blip-2'
      ? '`chat_template.jinja` writes the prompt of its training, with `<ImageHere>` for each image, whose embeddings stand there; an answer ends with `###`. transformers has no class for that: its `Blip2Processor` puts images before all words.'
      : 'The chat template writes the prompt of its training, and `generation_config.json` answers greedily up to the end tokens of its training: `processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt")`, then `model.generate`. Ask a server with temperature 0.';
  return `\n## How to ask it\n\n${how}\n`;
}

/** The versions of generated data that a round's model was trained on, the first one first. */
async function trainedOn(runRoot: string, round: number): Promise<DatasetVersion[]> {
  const own = (await versionHistory(runRoot)).find(({ version, current }) => current && version.round === round);
  const version = own?.version ?? (await parentOf(runRoot, round));
  return version === undefined ? [] : lineageOf(runRoot, version);
}

/** As the Hub shows results (https://huggingface.co/docs/hub/model-cards#evaluation-results). */
function modelIndex(name: string, scores: readonly CardScore[]): object[] {
  const results = scores.map(({ of, measure, value, low, high, count }) => ({
    task: { type: 'visual-question-answering' },
    dataset: { type: of, name: of },
    metrics: [{ type: measure, value, name: `${measure}, 95 % interval ${low} to ${high}, ${count} questions` }],
  }));
  return results.length === 0 ? [] : [{ name, results }];
}
