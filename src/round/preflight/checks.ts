/** The table of what is checked before a run starts. A check is a row here. */
import { join } from 'node:path';
import { stepsOf } from '../../config/finetune-schema.ts';
import { imageEntryOf } from '../../config/lora-schema.ts';
import type { Config } from '../../config/schema.ts';
import { fileExists } from '../../core/files.ts';
import { configError, InputError } from '../../core/input-error.ts';
import { readQuestionTypes } from '../../generation/question-types.ts';
import { imagesInPool } from '../../generation/sample-requests.ts';
import { imageFields } from '../../trainer/supervisor/image-fields.ts';
import { withPool } from '../dataset-paths.ts';
import { evaluatedImages } from '../evaluation-set.ts';
import { configuredSets } from '../evaluation-sets.ts';
import { checkGivenAdapter } from '../finetune/given-adapter.ts';
import { isJudged, judgeTools } from '../judge/work.ts';
import { readLoopQuestions } from '../loop-questions.ts';
import { asksTeacher } from '../paid-teacher.ts';
import { generationPromptFile, readGenerationPrompt, readShortAnswerPrompt } from '../prompt-file.ts';
import { refuseUnknownPrice, teacherOf } from '../teacher.ts';
import { verifies } from '../verify/verify.ts';
import { verificationTemplates } from '../verify/work.ts';
import type { PreflightCheck, PreflightContext } from './check.ts';
import { requireDiskSpace, roundsToCome } from './disk-space.ts';
import { checkEarlierWork } from './earlier-work.ts';
import { describeGate } from './gate-reach.ts';
import { requireImageModel, requireWholeModel } from './model-directory.ts';
import { isReached, requireKey, requireKnownModel } from './teacher-server.ts';

const makesSamples = ({ config }: PreflightContext) => config.rounds > 0;
const isOwn = ({ config }: PreflightContext) => config.data.validation.questions !== undefined;

/** Whether it is this process, or its worker, that asks the teacher of the config over a network. */
const asksHere = (context: PreflightContext) =>
  asksTeacher(context.config) && context.asksNoTeacher !== true && isReached(context);

/** Whether the teacher's key and whether it answers are for another worker to find out, by `requireTeacher`. */
export const leavesTeacher = (context: PreflightContext) =>
  context.asksNoTeacher === true && asksHere({ ...context, asksNoTeacher: false });

const teacherSteps = ['prepare-data', 'generate', 'verify', 'judge', 'discover'] as const;

export const preflightChecks: readonly PreflightCheck[] = [
  {
    what: 'the teacher’s provider and mode',
    known: 'config',
    find: async (context) => void teacherOf(context),
  },
  {
    what: 'the price that a budget needs',
    known: 'config',
    steps: teacherSteps,
    applies: ({ config }) => asksTeacher(config),
    find: async (context) => void (await refuseUnknownPrice(context)),
  },
  {
    what: 'the list of question types',
    known: 'config',
    steps: ['prepare-data', 'generate'],
    applies: ({ config }) => config.questionTypes.source === 'file',
    find: async ({ config }) => void (await readQuestionTypes(config.data.questionTypes)),
  },
  {
    what: 'the prompt for new samples',
    known: 'config',
    steps: ['prepare-data', 'sample', 'generate'],
    find: async ({ config }) => void (await readGenerationPrompt(config, generationPromptFile(config))),
  },
  {
    what: 'the prompt for short answers',
    known: 'config',
    steps: ['prepare-data', 'sample', 'generate'],
    applies: (context) => makesSamples(context) && isOwn(context),
    find: async ({ config }) => void (await readShortAnswerPrompt(config)),
  },
  {
    what: 'the prompts for verification',
    known: 'config',
    steps: ['prepare-data', 'verify'],
    applies: (context) => makesSamples(context) && verifies(context.config),
    find: async (context) => void (await verificationTemplates(context, { short: isOwn(context) })),
  },
  {
    what: 'the tools for judging',
    known: 'files',
    steps: ['prepare-data', 'judge'],
    applies: ({ config }) => configuredSets(config).some(isJudged),
    find: async ({ config }) => {
      for (const { questions = {} } of configuredSets(config).filter(isJudged))
        await judgeTools(config.data.root, questions);
      return undefined;
    },
  },
  {
    what: 'the files of the model',
    known: 'files',
    steps: ['prepare-data'],
    find: async ({ config }) => {
      const notes = await requireWholeModel(config);
      const { image, path } = config.model;
      if (image && (await fileExists(join(path, 'config.json')))) await imageFields(path, image);
      return notes;
    },
  },
  {
    what: 'what it costs to train the vision side',
    known: 'config',
    steps: ['prepare-data'],
    applies: ({ config }) => config.trainer === 'tensorflow' && imageEntryOf(config.finetune) === 'pixels',
    find: async ({ config }) => [costOfVision(config.finetune)],
  },
  {
    what: 'the adapter that round 0 takes',
    known: 'files',
    steps: ['prepare-data'],
    applies: ({ config }) => config.finetune.round0Adapter !== undefined,
    find: async ({ config }) => {
      const { round0Adapter } = config.finetune;
      if (round0Adapter !== undefined) await checkGivenAdapter(round0Adapter, config);
      return undefined;
    },
  },
  {
    what: 'the files of the model that images are compared by',
    known: 'files',
    steps: ['prepare-data', 'embed'],
    applies: (context) => makesSamples(context) && context.config.sampling.embeddings !== undefined,
    find: async ({ config }) => {
      const { embeddings } = config.sampling;
      if (embeddings !== undefined) await requireImageModel(embeddings.model);
      return undefined;
    },
  },
  {
    what: 'whether the list has the types of all questions',
    known: 'files',
    steps: ['prepare-data', 'sample', 'generate'],
    applies: (context) => makesSamples(context) && !isOwn(context) && context.config.questionTypes.source === 'file',
    find: requireListedTypes,
  },
  {
    what: 'whether the pool has images to ask about',
    known: 'files',
    steps: ['prepare-data', 'embed', 'sample'],
    applies: makesSamples,
    find: requirePool,
  },
  {
    what: 'what the gate can find',
    known: 'files',
    steps: ['prepare-data'],
    applies: ({ config }) => config.rounds > 0 && config.gate.policy !== 'always',
    find: async (context) => describeGate(context.config, await questionsIn(context)),
  },
  {
    what: 'whether this version can continue the run',
    known: 'worker',
    find: ({ run }) => checkEarlierWork(run),
  },
  {
    what: 'space on the disk',
    known: 'worker',
    steps: ['prepare-data', 'finetune', 'merge'],
    find: async (context, step) => void (await requireDiskSpace(context, await roundsToCome(context, step))),
  },
  {
    what: 'the teacher’s key',
    known: 'worker',
    steps: teacherSteps,
    applies: asksHere,
    find: async (context) => requireKey(context),
  },
  {
    what: 'whether the teacher answers, and knows its model',
    known: 'worker',
    steps: teacherSteps,
    applies: asksHere,
    find: requireKnownModel,
  },
];

/** What is read; undefined where it can't be, which the check of the data reports. */
function readable<R>(work: Promise<R>): Promise<R | undefined> {
  return work.catch((error: unknown) => {
    if (error instanceof InputError) return undefined;
    throw error;
  });
}

/** The validation questions; none where they can't be read. */
async function questionsIn({ config, run }: PreflightContext) {
  return (await readable(readLoopQuestions({ config, run }, 'validation'))) ?? [];
}

/** @throws InputError for a type of a question that the teacher could not be told about */
async function requireListedTypes(context: PreflightContext): Promise<undefined> {
  const { config } = context;
  const file = config.data.questionTypes;
  const listed = await readQuestionTypes(file).catch(() => undefined);
  if (listed === undefined) return;
  const names = new Set(listed.map(({ name }) => name));
  const unlisted = new Map<string, number>();
  for (const { question_type: type } of await questionsIn(context)) {
    if (type !== undefined && !names.has(type)) unlisted.set(type, (unlisted.get(type) ?? 0) + 1);
  }
  const [first] = unlisted.keys();
  if (first === undefined) return;
  const types = [...unlisted]
    .map(([type, count]) => `${type} (${count} ${count === 1 ? 'question' : 'questions'})`)
    .join(', ');
  throw new InputError({
    file: config.data.validation.file,
    field: 'question_type',
    problem: `${types}: not in ${file}`,
    remedy: 'Add name, title and explanation there, or set questionTypes.source to column or discover',
  });
}

async function requirePool(context: PreflightContext): Promise<string[]> {
  const { config } = context;
  const { maximumBoxes, requests } = config.sampling;
  const images = await readable(withPool(config, (pool) => pool.list()));
  if (images === undefined) return [];
  const described = imagesInPool(images, config.sampling);
  const drawable = described.filter(({ boxCount }) => boxCount <= maximumBoxes);
  const scored = await readable(evaluatedImages(context, images));
  if (scored === undefined) return [];
  const free = drawable.filter(({ id }) => !scored.has(id)).length;
  if (free === 0) {
    const crowded = images.filter(({ boxCount }) => boxCount > maximumBoxes).length;
    const left = [
      [
        images.length - crowded - drawable.length,
        'have not the captions and boxes that sampling.pool and data.descriptions ask for',
      ],
      [crowded, `have more boxes than sampling.maximumBoxes (${maximumBoxes})`],
      [drawable.length, 'are what scored questions are about'],
    ] as const;
    const why = left.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : [])).join(', ');
    throw configError(
      crowded > images.length / 2 ? 'sampling.maximumBoxes' : 'data.images.train',
      `no image is left to ask the teacher about: of ${images.length}${why === '' ? '' : `, ${why}`}`,
      crowded > images.length / 2
        ? 'Raise it, or add images'
        : 'Add images or descriptions, or set data.descriptions.source: image for a teacher with vision',
    );
  }
  const wanted = requests * config.rounds;
  return free >= wanted
    ? []
    : [
        `The pool has ${free} free images, and ${config.rounds} rounds of ${requests} requests would use ${wanted}: requests end with them.`,
      ];
}

function costOfVision({ epochs, stepsPerEpoch, batchSize }: Config['finetune']): string {
  const shown =
    stepsPerEpoch === 'auto'
      ? `${epochs} ${epochs === 1 ? 'time' : 'times'} or more for each image`
      : `${stepsOf({ epochs, stepsPerEpoch, batchSize }, 0) * batchSize} times in a finetune`;
  return `finetune.lora.targetModules.vision: the vision side is computed, and learned through, for each sample that is shown, ${shown}, in place of once for each image. No image feature is kept. What memory it takes: dataengine model plan.`;
}
