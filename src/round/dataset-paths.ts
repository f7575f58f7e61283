import { join } from 'node:path';
import type { Config } from '../config/schema.ts';

export type Split = 'validation' | 'test';

/** The question file of a split and the folder of its images. */
export interface QuestionSet {
  file: string;
  images: string;
  limit?: number;
}

/** Where a split's questions and images are, or undefined when the config has no such split. */
export function questionSet({ data }: Config, split: Split): QuestionSet | undefined {
  const set = data[split];
  if (set === undefined) return undefined;
  const images = split === 'test' ? (data.images.test ?? data.images.validation) : data.images.validation;
  return { file: join(data.root, set.file), images: join(data.root, images), limit: set.limit };
}

/** The splits that the config has. */
export function configuredSplits(config: Config): Split[] {
  return config.data.test === undefined ? ['validation'] : ['validation', 'test'];
}

/** The COCO annotations of the pool, the images that new samples are about. */
export function poolAnnotations({ data }: Config): { instances: string; captions: string } {
  return {
    instances: join(data.root, data.annotations.instances),
    captions: join(data.root, data.annotations.captions),
  };
}

/** The folder of the pool's images. */
export function poolImages({ data }: Config): string {
  return join(data.root, data.images.train);
}
