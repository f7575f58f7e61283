import { hashValue } from '../../core/hash.ts';
import type { ExifMode } from '../../core/images/image-kind.ts';
import { hashInputFile } from '../../core/read-json.ts';
import type { CocoFiles, ImagePool } from '../coco.ts';
import type { FolderImages } from './folder-pool.ts';

/** Where the files of a config's pool are. All paths are absolute. */
export interface PoolFiles {
  /** The folder of the images. */
  folder: string;
  annotations: CocoFiles;
  /** `data.descriptions.file` */
  file: string | undefined;
  exif: ExifMode;
  cacheDirectory: string;
}

/** Where the images of the pool come from, and what the teacher is told about them. */
export interface DescriptionSource {
  /** For the page of the config. */
  summary: string;
  /** Whether it reads `data.descriptions.file`. */
  readsFile: boolean;
  /** Whether the teacher is sent the images, whatever `teacher.attachImage` says. */
  showsImages: boolean;
  /** What prompts about an image have a place for. */
  tells: readonly ('captions' | 'boxes')[];
  /** Everything that `withPool` depends on, by content, for the inputs of steps. */
  inputs(files: PoolFiles): Promise<Record<string, unknown>>;
  /** Gives the work the images. @throws InputError naming file and place of what is wrong */
  withPool<R>(files: PoolFiles, work: (pool: ImagePool) => Promise<R>): Promise<R>;
}

const toldInWords = ['captions', 'boxes'] as const;

/**
 * All sources of descriptions by the name that configs give them; a source is added here. Their code is loaded when it is
 * used: the schema of a config lists the names, and every command reads a config.
 */
export const descriptionSources = {
  coco: {
    summary: 'captions and boxes from data.annotations',
    readsFile: false,
    showsImages: false,
    tells: toldInWords,
    inputs: async ({ annotations }) => ({
      instances: await hashInputFile(annotations.instances),
      captions: await hashInputFile(annotations.captions),
    }),
    withPool: async ({ annotations, cacheDirectory }, work) => {
      const { withCoco } = await import('../coco-index.ts');
      return withCoco(annotations, `${cacheDirectory}/coco`, work);
    },
  },
  image: {
    summary: 'the image itself, for a teacher with vision',
    readsFile: false,
    showsImages: true,
    tells: [],
    inputs: async (files) => ({ descriptions: 'image', ...contentOf(await imagesOf(files)) }),
    withPool: async (files, work) => {
      const { folderPool } = await import('./folder-pool.ts');
      return work(folderPool({ ...files, ...(await imagesOf(files)) }));
    },
  },
  facts: {
    summary: 'sentences and boxes of your own, from data.descriptions.file',
    readsFile: true,
    showsImages: false,
    tells: toldInWords,
    inputs: async (files) => ({
      descriptions: 'facts',
      facts: await hashInputFile(files.file as string),
      ...contentOf(await imagesOf(files)),
    }),
    withPool: async (files, work) => {
      const { readFacts } = await import('./facts.ts');
      const { folderPool } = await import('./folder-pool.ts');
      const found = await imagesOf(files);
      const facts = await readFacts(files.file as string, files.folder, (path) => found.sha256Of.get(path));
      const isDescribed = ({ captions, boxes }: { captions: unknown[]; boxes: unknown[] }) =>
        captions.length + boxes.length > 0;
      const factsOf = ({ sha256 }: { sha256: string }) => facts.get(sha256);
      return work(folderPool({ ...files, ...found, factsOf, isDescribed }));
    },
  },
} as const satisfies Record<string, DescriptionSource>;

export type DescriptionSourceName = keyof typeof descriptionSources;

export const descriptionSourceNames = Object.keys(descriptionSources) as [
  DescriptionSourceName,
  ...DescriptionSourceName[],
];

/** The source of this name. */
export function descriptionSource(name: DescriptionSourceName): DescriptionSource {
  return descriptionSources[name];
}

async function imagesOf({ folder, cacheDirectory }: PoolFiles): Promise<FolderImages> {
  const { folderImages } = await import('./folder-pool.ts');
  return folderImages(folder, `${cacheDirectory}/pools`);
}

function contentOf({ images }: FolderImages): { images: string } {
  return { images: hashValue(images.map(({ id, sha256 }) => [id, sha256])) };
}
