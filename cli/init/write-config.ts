/** The config that `dataengine init` writes: one file, with a comment for each decision. */
import { dirname, relative, resolve, sep } from 'node:path';
import { projectFile } from '../../src/core/files.ts';
import { isBelow } from '../../src/core/inside.ts';
import type { SideName } from '../../src/datasets/split/split-manifest.ts';
import type { QuestionFacts } from './look-at-folder.ts';

export interface ConfigParts {
  /** The config's own file. */
  output: string;
  run: string;
  model: string;
  /** Whether the model's family is implemented on TensorFlow. */
  isBuiltIn: boolean;
  /** Whether the model is the small one of the demo, which needs other settings than a large one. */
  isSmall: boolean;
  root: string;
  /** Paths from the root. */
  images: string;
  files: Readonly<Partial<Record<SideName, string>>>;
  isAokvqa: boolean;
  /** Trained on beside the questions. */
  conversations: readonly string[];
  /** Records that do not fit are left out. */
  skipInvalid: boolean;
  facts: QuestionFacts;
  /** Where question types come from: `discover`, `column` or a file; undefined: the list that comes with the program. */
  types?: string | undefined;
  poolImages: number;
  /** Those that no scored question is about. */
  freeImages: number;
  teacher: { provider: string; baseUrl?: string | undefined; model?: string | undefined };
}

/** Requests to the teacher in a round. */
const mostRequests = 2000;

export function configText(parts: ConfigParts): string {
  const { run, output, images, files, isAokvqa, conversations, facts, freeImages, teacher } = parts;
  const from = (path: string) => quoted(pathFromConfig(output, path));
  const shipped = (file: string) => from(projectFile(file));
  const requests = Math.min(mostRequests, Math.max(1, freeImages));
  const repeats = facts.questions > 0 && facts.texts / facts.questions < 0.8;
  const instruction = facts.areNumbers ? 'Answer with a number.' : 'Answer with a single word or phrase.';
  const metric = facts.areNumbers ? 'relaxed-accuracy' : 'exact-match';
  const skip = parts.skipInvalid ? ['skipInvalid: true'] : [];
  const ofAnswers = facts.shortAnswers > 0 ? [`metric: ${metric}`, `instruction: ${instruction}`] : [];
  const settings = [...ofAnswers, ...skip].length > 0 ? `{ ${[...ofAnswers, ...skip].join(', ')} }` : '{}';
  const andSkip = skip.map((key) => `, ${key}`).join('');
  const scored = (file: string) =>
    isAokvqa ? `{ file: ${quoted(file)} }` : `{ file: ${quoted(file)}, questions: ${settings} }`;
  const trained = isAokvqa
    ? `{ dataset: aokvqa, file: ${quoted(files.train)}, images: ${quoted(images)} }`
    : `{ dataset: questions, file: ${quoted(files.train)}, images: ${quoted(images)}${facts.shortAnswers > 0 ? `, instruction: ${instruction}` : ''}${andSkip} }`;
  const lines = [
    '# Written by `dataengine init`. All keys: docs/configuration.md.',
    `run: ${quoted(run)}`,
    'seed: 1',
    '# Rounds of new data after round 0, which trains on your own questions alone.',
    'rounds: 1',
    '',
    `model: { path: ${from(parts.model)} }`,
    ...(parts.isBuiltIn ? [] : ['# PyTorch: `dataengine setup --torch` installs it.', 'trainer: torchrun']),
    '',
    'data:',
    `  root: ${from(parts.root)}`,
    '  # The pool: new samples are written about the images of `train`; those of scored questions are never drawn.',
    `  images: { train: ${quoted(images)}, validation: ${quoted(images)} }`,
    '  # The teacher sees each image, and gets no other facts about it.',
    '  descriptions: { source: image }',
    '  train:',
    `    - ${trained}`,
    ...conversations.map(
      (file) => `    - { dataset: conversations, file: ${quoted(file)}, images: ${quoted(images)}${andSkip} }`,
    ),
    '  # Wrong answers to these questions decide what the teacher is asked for.',
    `  validation: ${scored(files.validation as string)}`,
    ...(files.test === undefined
      ? []
      : ['  # Scored in every round, and used for nothing else.', `  test: ${scored(files.test)}`]),
    ...typesLines(parts.types, from),
    '',
    'finetune:',
    '  epochs: 3',
    '  # An epoch is a pass over the data.',
    '  stepsPerEpoch: auto',
    ...(parts.isSmall
      ? smallModel
      : ['  # Of all steps: few questions make few steps.', '  learningRate: { warmupSteps: 0.05 }']),
    '',
    'sampling:',
    '  # Requests to the teacher in a round. Each is about another image, in all rounds together.',
    `  requests: ${requests}`,
    '',
    'teacher:',
    `  provider: ${quoted(teacher.provider)}`,
    ...(teacher.baseUrl === undefined ? [] : [`  baseUrl: ${quoted(teacher.baseUrl)}`]),
    ...(teacher.model === undefined ? [] : [`  model: ${quoted(teacher.model)}`]),
    ...(teacher.provider === 'local' || teacher.baseUrl !== undefined
      ? []
      : [
          '  # What all rounds may cost together, in the currency of the prices; a run needs a limit, or `budget: none`.',
          '  # budget: { limit: 10 }',
        ]),
    `  prompt: ${shipped('configs/prompts/generate-from-image-v1.md')}`,
    ...(facts.shortAnswers === 0
      ? []
      : [`  shortAnswerPrompt: ${shipped('configs/prompts/generate-short-from-image-v1.md')}`]),
    `  prices: ${shipped('configs/prices.yaml')}`,
    ...(repeats
      ? [
          '',
          'refine:',
          '  # Your questions have the same texts again and again: the same one about another image leaks nothing.',
          '  evaluationSimilarity: off',
        ]
      : []),
    '',
  ];
  return lines.join('\n');
}

function typesLines(types: string | undefined, from: (path: string) => string): string[] {
  if (types === 'discover') {
    return [
      '',
      '# The teacher proposes question types from right and wrong answers; manual: a person approves them.',
      'questionTypes: { source: discover, approve: automatic }',
    ];
  }
  if (types === 'column')
    return ['', '# The types are those that the validation questions have.', 'questionTypes: { source: column }'];
  const list = types ?? projectFile('configs/question-types.yaml');
  return ['  # Names and explanations of question types, for the teacher.', `  questionTypes: ${from(list)}`];
}

/** As the demo trains its model of a few million weights. */
const smallModel = [
  '  batchSize: 16',
  '  maximumTokens: 96',
  '  learningRate: { initial: 1e-4, peak: 2e-3, final: 1e-4, warmupSteps: 0.05 }',
  '  lora:',
  '    rank: 32',
  '    alpha: 64',
  '    dropout: 0',
  '    targetModules: [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]',
];

/** As JSON where YAML would read a text as something else. */
function quoted(text: string | undefined): string {
  const plain = text ?? '';
  return /^(?:[A-Za-z/]|\.{1,2}(?:\/|$))[\w./-]*$/.test(plain) && !/^(?:true|false|null|yes|no|on|off)$/i.test(plain)
    ? plain
    : JSON.stringify(plain);
}

/** A path as the config has it: from its folder, if the path is below that or the current folder; whole otherwise. */
function pathFromConfig(config: string, path: string): string {
  const folder = dirname(resolve(config));
  const whole = resolve(path);
  return isBelow(whole, [folder, process.cwd()]) ? relative(folder, whole).split(sep).join('/') || '.' : whole;
}
