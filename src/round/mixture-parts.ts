/**
 * What a round trains on: the base datasets of the config and the generated data of all rounds so far.
 */
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { hashValue } from '../core/hash.ts';
import { joinInside } from '../core/inside.ts';
import { gptvqa } from '../datasets/engine-data.ts';
import type { ImageFolder } from '../datasets/image-folder.ts';
import { hashTable } from '../datasets/tables/shards.ts';
import { type TrainDataset, type TrainingSample, type TrainSource, trainingSample } from '../datasets/train-dataset.ts';
import { trainDatasets } from '../datasets/train-datasets.ts';
import type { GeneratedData } from './append/generated-data.ts';
import { imagesIn, poolFolder } from './dataset-paths.ts';

export interface MixturePart {
  name: string;
  /** Hash of the file that the samples come from, and of how it is read where the config says so. */
  hash: string;
  sampleRatio?: number;
  samples(): AsyncIterable<TrainingSample>;
}

type TrainPart = Config['data']['train'][number];

/** A dataset and where it is. */
export interface LocatedDataset extends TrainSource {
  dataset: TrainDataset;
}

/** The parts of a round's mixture, in a fixed order. */
export async function mixtureParts(config: Config, generated: GeneratedData[]): Promise<MixturePart[]> {
  const base = await Promise.all(config.data.train.map((part) => datasetPart(config, part)));
  const pool = poolFolder(config);
  const added = generated.map(({ round, file, hash }) => ({
    ...generatedDataset(pool, `round${round}`, file),
    hash,
    sampleRatio: config.finetune.generatedSampleRatios?.[round - 1],
  }));
  return [...base, ...added.map((part) => mixturePart(config, part))];
}

/** A dataset of the config as a part of a mixture. */
export async function datasetPart(config: Config, part: TrainPart): Promise<MixturePart> {
  const located = baseDataset(config, part);
  const { dataset, path, settings } = located;
  const content = await hashTable(dataset.contentFile?.(path) ?? path);
  const hash = isSet(settings) ? hashValue([content, settings]) : content;
  return mixturePart(config, { ...located, hash, sampleRatio: part.sampleRatio });
}

function mixturePart(config: Config, part: LocatedDataset & Omit<MixturePart, 'samples'>): MixturePart {
  const { name, hash, sampleRatio } = part;
  return {
    name,
    hash,
    ...(sampleRatio !== undefined && { sampleRatio }),
    samples: () => samplesOf(part, config.data.format),
  };
}

function isSet(settings: LocatedDataset['settings'] = {}): boolean {
  return Object.values(settings).some((value) => value !== undefined);
}

/** A base dataset of the config. */
export function baseDataset(config: Config, part: TrainPart): LocatedDataset {
  const { root } = config.data;
  const dataset = trainDatasets[part.dataset];
  const path = joinInside(root, part.file ?? dataset.defaultPath ?? '');
  const images = imagesIn(config, part.images ?? config.data.images.train);
  const { format, columns, skipInvalid, instruction } = part;
  return {
    dataset,
    name: dataset.nameOf?.(path) ?? part.dataset,
    path,
    images,
    extractedImages: join(config.cacheDirectory, 'extracted-images'),
    settings: { format, columns, skipInvalid, instruction },
  };
}

/** Generated samples, which are about images of the pool. */
export function generatedDataset(pool: ImageFolder, name: string, path: string): LocatedDataset {
  return { dataset: gptvqa, name, path, images: pool };
}

async function* samplesOf(
  { dataset, ...source }: LocatedDataset,
  format: Config['data']['format'],
): AsyncGenerator<TrainingSample> {
  for await (const record of dataset.read(source)) yield trainingSample(record, { source: source.name, format });
}
