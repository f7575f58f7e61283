/** What PEFT made of tiny models, all that may be trained: test/fixtures/make-trained-parts-fixture.py recorded it. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FinetuneJob } from '../../src/trainer/protocol.ts';

export const trainedPartsFolder = fileURLToPath(new URL('../fixtures/trained-parts', import.meta.url));

type Trained = Pick<FinetuneJob, 'trainable'> & { lora: Partial<FinetuneJob['lora']> };

const language = ['q_proj', 'down_proj'] as [string, ...string[]];
const sides = {
  'tiny-blip2': { vision: ['qkv', 'fc1', 'query', 'dense'], projector: ['language_projection'] },
  'tiny-llava': { vision: ['q_proj', 'out_proj', 'fc2'], projector: ['linear_1', 'linear_2'] },
};

function casesOf({ vision, projector }: { vision: string[]; projector: string[] }): Record<string, Trained> {
  return {
    rslora: { lora: { targetModules: language, rslora: true } },
    vision: { lora: { targetModules: { language, vision, projector } } },
    projection: { lora: { targetModules: language }, trainable: ['projection'] },
    'vision-and-projection': {
      lora: { targetModules: { language, vision }, rslora: true },
      trainable: ['projection'],
    },
    dora: { lora: { targetModules: { language, vision, projector }, dora: true } },
    'dora-of-language': { lora: { targetModules: language, dora: true, rslora: true } },
  };
}

/** Each model and case, with what of a finetune's settings says so. */
export const trainedParts = Object.entries(sides).flatMap(([model, side]) =>
  Object.entries(casesOf(side)).map(([name, { lora, trainable }]) => ({
    model,
    name,
    folder: path.join(trainedPartsFolder, `${model}-${name}`),
    lora: { rank: 4, alpha: 8, dropout: 0, targetModules: language, ...lora },
    trainable,
  })),
);
