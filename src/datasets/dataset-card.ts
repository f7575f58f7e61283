import { stringify } from 'yaml';
import type { DatasetVersion } from './versions.ts';

/** As the Parquet files have the ids of images: numbers, or texts where one of them is a text. */
type ImageIdType = 'BIGINT' | 'VARCHAR';

const features = (images: boolean, imageIdType: ImageIdType) => [
  images ? { name: 'image', dtype: 'image' } : { name: 'image_file', dtype: 'string' },
  { name: 'image_id', dtype: imageIdType === 'VARCHAR' ? 'string' : 'int64' },
  { name: 'round', dtype: 'int64' },
  { name: 'question_type', dtype: 'string' },
  { name: 'question', dtype: 'string' },
  { name: 'choices', sequence: 'string' },
  { name: 'correct_choice_idx', dtype: 'int64' },
  { name: 'rationales', sequence: 'string' },
  { name: 'raw_instructions', dtype: 'string' },
];

/** The README of a Hugging Face dataset: the metadata that `datasets` reads, then where the data comes from. */
export function datasetCard(input: {
  version: DatasetVersion;
  lineage: readonly DatasetVersion[];
  samples: number;
  images: boolean;
  imageIdType: ImageIdType;
}): string {
  const { version, lineage, samples, images, imageIdType } = input;
  const metadata = {
    pretty_name: `MLLM-DataEngine, version ${version.id.slice(0, 12)}`,
    task_categories: ['visual-question-answering', 'multiple-choice'],
    size_categories: [sizeCategory(samples)],
    configs: [{ config_name: 'default', data_files: [{ split: 'train', path: 'data/train-*' }] }],
    dataset_info: { features: features(images, imageIdType) },
  };
  const rows = lineage.map(
    ({ id, round, files, teacher, promptVersion, rejected, cost }) =>
      `| ${round} | \`${id.slice(0, 12)}\` | ${sum(files.map((file) => file.samples))} | ${rejected} | ${teacher} | ${promptVersion} | ${cost.promptTokens + cost.completionTokens} |`,
  );
  return `---
${stringify(metadata)}---

# Generated multiple-choice questions about COCO images

${samples} questions that a teacher model wrote for the question types that a multimodal model was worst at, by the
method of [MLLM-DataEngine](https://arxiv.org/abs/2308.13566). ${
    images
      ? 'The images are in the files; they are under the licenses that COCO names for each.'
      : 'Images are named, not included: `image_file` is the path of a COCO 2017 image.'
  }

| round | version | samples | rejected | teacher | prompt | teacher's tokens |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

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

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
