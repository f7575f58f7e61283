import { requestsFile } from '../../src/round/sample/results.ts';
/**
 * A run directory in which round 1 has its requests and is about to be generated, without earlier rounds.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configSchema } from '../../src/config/schema.ts';
import { projectFile } from '../../src/core/files.ts';
import { hashValue } from '../../src/core/hash.ts';
import { runStepOnce } from '../../src/core/manifest.ts';
import { writeFileAtomically } from '../../src/core/write-file.ts';
import type { GenerationRequest } from '../../src/generation/sample-requests.ts';
import { freezeConfig } from '../../src/round/frozen-config.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import { extensions } from '../../workers/extensions.ts';

const imageCount = 200;
const objects = ['cat', 'dog', 'bus', 'apple', 'clock'];

/** Writes a run of this many requests about a few hundred images, and returns the context of its steps. */
export async function writeGenerationRun(
  folder: string,
  requests: number,
  teacher: Record<string, unknown>,
  verify: Record<string, unknown> = {},
): Promise<StepContext> {
  const annotations = join(folder, 'annotations');
  await mkdir(annotations, { recursive: true });
  await writeAnnotations(annotations);
  await writeFile(join(folder, 'validation.json'), '[]');
  const config = configSchema.parse({
    run: 'generation',
    seed: 7,
    rounds: 1,
    runsDirectory: join(folder, 'runs'),
    // Of which refining takes the tokenizer.
    model: { path: projectFile('test/fixtures/tiny-blip2') },
    data: {
      root: folder,
      train: [{ dataset: 'aokvqa' }],
      validation: { file: 'validation.json' },
      images: { train: 'images', validation: 'images' },
      annotations: { instances: 'annotations/instances.json', captions: 'annotations/captions.json' },
      questionTypes: projectFile('configs/question-types.yaml'),
    },
    teacher: {
      provider: 'local',
      prompt: projectFile('configs/prompts/generate-v1.md'),
      prices: projectFile('configs/prices.yaml'),
      ...teacher,
    },
    verify: {
      blindPrompt: projectFile('configs/prompts/verify-v1.md'),
      languageOnlyPrompt: projectFile('configs/prompts/verify-without-picture-v1.md'),
      ...verify,
    },
  });
  const frozen = await freezeConfig(config, 'generation');
  const directory = stepDirectory(frozen.directory, 1, 'sample');
  await runStepOnce({
    directory,
    step: 'sample',
    inputs: {},
    work: async () => {
      const lines = Array.from({ length: requests }, (_, index) => `${JSON.stringify(requestOf(index))}\n`);
      await writeFileAtomically(join(directory, requestsFile), lines.join(''));
      return { outputs: [requestsFile], metrics: { requests } };
    },
  });
  return {
    config: frozen.config,
    run: frozen.directory,
    round: 1,
    onProgress: () => undefined,
    signal: new AbortController().signal,
    extensions,
  };
}

function requestOf(index: number): GenerationRequest {
  const rest = {
    image_id: (index % imageCount) + 1,
    question_type: 'object_localization',
    examples: [{ idx: `example-${index}`, prompt: `Question: Where is thing number ${index}?` }],
    source: 'random' as const,
    prompt_version: 'generate-v1',
    seed: index,
  };
  return { id: hashValue(rest), ...rest };
}

async function writeAnnotations(folder: string): Promise<void> {
  const ids = Array.from({ length: imageCount }, (_, index) => index + 1);
  const images = ids.map((id) => ({ id, file_name: `${id}.jpg`, width: 200, height: 100 }));
  const objectOf = (id: number) => objects[id % objects.length] as string;
  await writeFile(
    join(folder, 'instances.json'),
    JSON.stringify({
      images,
      annotations: ids.map((id) => ({
        id,
        image_id: id,
        category_id: id % objects.length,
        bbox: [id % 100, 10, 40, 40],
      })),
      categories: objects.map((name, id) => ({ id, name })),
    }),
  );
  await writeFile(
    join(folder, 'captions.json'),
    JSON.stringify({
      images,
      annotations: ids.map((id) => ({ id, image_id: id, caption: `A ${objectOf(id)} in an image.` })),
    }),
  );
}
