/** What may be trained, by which trainer: what refuses the rest, and the table of it in docs/training.md. */
import type { z } from 'zod';
import type { finetuneSchema } from './finetune-schema.ts';
import { targetsByPart } from './lora-schema.ts';

type Finetune = z.output<typeof finetuneSchema>;

interface Asked {
  trainer: 'tensorflow' | 'torchrun';
  sharding: 'none' | 'fsdp' | 'deepspeed';
  finetune: Finetune;
}

const trainers = {
  tensorflow: 'tensorflow',
  torchrun: 'torchrun',
  fsdp: 'torchrun, fsdp',
  deepspeed: 'torchrun, deepspeed',
} as const;
type Trainer = keyof typeof trainers;

interface Way {
  title: string;
  /** The keys of a config that ask for it. */
  keys: string;
  path: string[];
  isAskedFor(finetune: Finetune): boolean;
  by: readonly Trainer[];
}

const all: readonly Trainer[] = ['tensorflow', 'torchrun', 'fsdp', 'deepspeed'];
const notDeepspeed: readonly Trainer[] = ['tensorflow', 'torchrun', 'fsdp'];
const targets = ['lora', 'targetModules'];
const trains = (part: string) => (finetune: Finetune) => finetune.trainable?.some((one) => one === part) ?? false;

const ways: readonly Way[] = [
  {
    title: 'adapters on the language model',
    keys: 'lora.targetModules',
    path: targets,
    isAskedFor: ({ lora }) => targetsByPart(lora.targetModules).language.length > 0,
    by: all,
  },
  {
    title: 'adapters on the vision side',
    keys: 'lora.targetModules.vision',
    path: [...targets, 'vision'],
    isAskedFor: ({ lora }) => targetsByPart(lora.targetModules).vision.length > 0,
    by: notDeepspeed,
  },
  {
    title: 'adapters on the projector',
    keys: 'lora.targetModules.projector',
    path: [...targets, 'projector'],
    isAskedFor: ({ lora }) => targetsByPart(lora.targetModules).projector.length > 0,
    by: notDeepspeed,
  },
  {
    title: 'rank-stabilized adapters (rsLoRA)',
    keys: 'lora.rslora',
    path: ['lora', 'rslora'],
    isAskedFor: ({ lora }) => lora.rslora === true,
    by: all,
  },
  {
    title: 'weight-decomposed adapters (DoRA)',
    keys: 'lora.dora',
    path: ['lora', 'dora'],
    isAskedFor: ({ lora }) => lora.dora === true,
    by: ['tensorflow', 'torchrun'],
  },
  {
    title: 'the projection, whole',
    keys: 'trainable: [projection]',
    path: ['trainable'],
    isAskedFor: trains('projection'),
    by: notDeepspeed,
  },
  {
    title: 'the language model, whole',
    keys: 'trainable: [language]',
    path: ['trainable'],
    isAskedFor: trains('language'),
    by: [],
  },
  {
    title: 'the vision side, whole',
    keys: 'trainable: [vision]',
    path: ['trainable'],
    isAskedFor: trains('vision'),
    by: [],
  },
];

/** What a config asks to train and its trainer does not: the key below `finetune`, and what is said of it. */
export function refusedTraining({ trainer, sharding, finetune }: Asked): { path: string[]; message: string }[] {
  const used: Trainer = sharding === 'none' ? trainer : sharding;
  return ways
    .filter(({ isAskedFor, by }) => isAskedFor(finetune) && !by.includes(used))
    .map(({ title, path, by }) => {
      const names = by.map((one) => `trainer: ${trainers[one].replace(', ', ' with sharding: ')}`);
      const who = names.length === 0 ? 'no trainer trains that' : `trained by ${names.join(', or by ')} alone`;
      return { path, message: `${title}: ${who}` };
    });
}

/** The table of docs/training.md, as lines. */
export function trainedWaysTable(): string[] {
  const shown = Object.keys(trainers) as Trainer[];
  return [
    `| what | key of \`finetune\` | ${shown.map((one) => trainers[one]).join(' | ')} |`,
    `| --- | --- | ${shown.map(() => '---').join(' | ')} |`,
    ...ways.map(
      ({ title, keys, by }) =>
        `| ${title} | \`${keys}\` | ${shown.map((one) => (by.includes(one) ? 'yes' : 'no')).join(' | ')} |`,
    ),
  ];
}
