import { stringify } from 'yaml';
import { type CardScore, lineageTable, scoresSection } from './card-sections.ts';
import type { DatasetVersion } from './versions.ts';

/** As the Parquet files have the ids of images: numbers, or texts where one of them is a text. */
type ImageIdType = 'BIGINT' | 'VARCHAR';

/** What the files are, and whether the images are in them. */
type Layout = 'parquet' | 'parquet with images' | 'webdataset';

const columns = (imageIdType: ImageIdType) => [
  { name: 'image_id', dtype: imageIdType === 'VARCHAR' ? 'string' : 'int64' },
  { name: 'round', dtype: 'int64' },
  { name: 'question_type', dtype: 'string' },
  { name: 'question', dtype: 'string' },
  { name: 'choices', sequence: 'string' },
  { name: 'correct_choice_idx', dtype: 'int64' },
  { name: 'rationales', sequence: 'string' },
  { name: 'raw_instructions', dtype: 'string' },
];

/** As `datasets` names and types the columns. */
function featuresOf(layout: Layout, imageIdType: ImageIdType, extension: string): object[] {
  const image_file = { name: 'image_file', dtype: 'string' };
  if (layout === 'parquet') return [image_file, ...columns(imageIdType)];
  if (layout === 'parquet with images') return [{ name: 'image', dtype: 'image' }, ...columns(imageIdType)];
  return [
    { name: extension, dtype: 'image' },
    { name: 'json', struct: [image_file, ...columns(imageIdType)] },
    { name: '__key__', dtype: 'string' },
    { name: '__url__', dtype: 'string' },
  ];
}

/** What a card says beyond what is in the version. */
export interface CardFacts {
  /** As the Hub names it, such as `cc-by-4.0`. */
  license: string;
  scores: readonly CardScore[];
}

/** The README of a Hugging Face dataset: the metadata that `datasets` reads, then where the data comes from. */
export function datasetCard(input: {
  version: DatasetVersion;
  lineage: readonly DatasetVersion[];
  samples: number;
  layout: Layout;
  imageIdType: ImageIdType;
  /** Of the images of WebDataset. */
  extension?: string;
  facts?: CardFacts | undefined;
}): string {
  const { version, lineage, samples, layout, imageIdType, extension = 'jpg', facts } = input;
  const metadata = {
    ...(facts && { license: facts.license }),
    pretty_name: `MLLM-DataEngine, version ${version.id.slice(0, 12)}`,
    task_categories: ['visual-question-answering', 'multiple-choice'],
    size_categories: [sizeCategory(samples)],
    configs: [{ config_name: 'default', data_files: [{ split: 'train', path: 'data/train-*' }] }],
    dataset_info: { features: featuresOf(layout, imageIdType, extension) },
  };
  return `---
${stringify(metadata)}---

# Generated multiple-choice questions about images

${samples} questions that a teacher model wrote for the question types that a multimodal model was worst at, by the
method of [MLLM-DataEngine](https://arxiv.org/abs/2308.13566). ${
    layout !== 'parquet'
      ? 'The images are in the files; their own licenses hold for them.'
      : 'Images are named, not included: `image_file` is the path of an image below the data root.'
  }

${lineageTable(lineage)}
${facts === undefined ? '' : scoresSection('Scores of the models that were trained with this data', facts.scores)}
## Samples by question type

| type | samples |
| --- | --- |
${totalByType(lineage)
  .map(([type, count]) => `| ${type} | ${count} |`)
  .join('\n')}

## Columns

\`choices\` are four, in the order in which they are asked; \`correct_choice_idx\` is the position of the right one, from
0. \`rationales\` explain the answer. \`raw_instructions\` is the teacher's answer as it came, before the choices were
shuffled.
`;
}

function totalByType(lineage: readonly DatasetVersion[]): [type: string, count: number][] {
  const totals = new Map<string, number>();
  for (const { countsByType } of lineage) {
    for (const [type, count] of Object.entries(countsByType)) totals.set(type, (totals.get(type) ?? 0) + count);
  }
  return [...totals].sort((left, right) => right[1] - left[1]);
}

function sizeCategory(samples: number): string {
  const limits: [number, string][] = [
    [1e3, 'n<1K'],
    [1e4, '1K<n<10K'],
    [1e5, '10K<n<100K'],
    [1e6, '100K<n<1M'],
  ];
  return limits.find(([limit]) => samples < limit)?.[1] ?? '1M<n<10M';
}
