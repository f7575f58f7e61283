/**
 * The table of a run's steps. Their names, folders, queues, time limits, commands and activities, the store's rules and the
 * README's table follow from it. Workflows import this file, so it holds only data and pure functions.
 */
import type { AppendOutcome } from './append/results.ts';
import type { CheckServingOutcome } from './check-serving/results.ts';
import type { ClassifyOutcome } from './classify/results.ts';
import type { CompareOutcome } from './compare/results.ts';
import type { DiscoverOutcome } from './discover/results.ts';
import type { EmbedOutcome } from './embed/results.ts';
import type { EvaluateOutcome } from './evaluate/results.ts';
import type { FinetuneOutcome } from './finetune/results.ts';
import type { GateOutcome } from './gate/results.ts';
import type { GenerateOutcome } from './generate/results.ts';
import type { JudgeOutcome } from './judge/results.ts';
import type { MergeOutcome } from './merge/results.ts';
import type { PrepareDataOutcome } from './prepare-data/results.ts';
import type { RefineOutcome } from './refine/results.ts';
import type { ReportOutcome } from './report/results.ts';
import type { SampleOutcome } from './sample/results.ts';
import type { SelectOutcome } from './select/results.ts';
import type { VerifyOutcome } from './verify/results.ts';

export type Queue = 'cpu' | 'gpu';

export interface StepRow {
  /** Its folder, in that of the run or of each round; absent where it has none. */
  folder?: { of: 'run' | 'round'; name: string };
  queue: Queue;
  /** The activity that runs the step; absent where a workflow of its own does, or where it needs a person's decision. */
  activity?: string;
  /** The first round that has the step; of a step of the run, the round before which it runs. */
  firstRound: 0 | 1;
  /** Its activity may ask the teacher: where that is a server of the GPU worker's (`teacher.serve`), the activity runs there. */
  asksTeacher?: true;
  /** Time limit of an attempt; absent where the config or a workflow of its own has it. */
  minutes?: number;
  /** The step is done in shards, each by another worker, that its activity joins. */
  shards?: { folder: string; queue: Queue; minutes: number };
  /** Other steps whose folders it may write too. */
  alsoWrites?: readonly string[];
  /** The file that it puts into the round's folder, with `<k>` for the round's number. */
  publishes?: string;
  /** Files of its folder that are of use on this machine only: names, `folder/`, `*.suffix`, or `*` for all. */
  local: readonly string[];
  /** Files of its folder that an interrupted attempt resumes from, and that are of no use once it has finished. */
  resume: readonly string[];
  /** Files of a finished step that are made again when they are needed: older rounds need not keep them. */
  remade?: readonly string[];
  /** What it does, for the command line. */
  description: string;
  /** Its results, for the README. */
  writes: string;
  /** Its outcome in a few words. */
  summary: (outcome: never) => string;
}

const trainerFiles = ['job.json', 'trainer.pid.json'];

export const steps = {
  'prepare-data': {
    folder: { of: 'run', name: 'prepared-data' },
    queue: 'cpu',
    activity: 'prepareData',
    asksTeacher: true,
    firstRound: 0,
    minutes: 360,
    local: ['*'],
    resume: [],
    description: 'make the data that data.scenes asks for, and check every file and image',
    writes: '`prepared-data/`, once a run and on each machine: every file and image is checked',
    summary: ({ questions, images, leftOut: records, notes = [] }: PrepareDataOutcome) =>
      `${questions} questions, ${images} images${records ? `; records left out: ${describeCounts(records)}` : ''}` +
      notes.map((note) => `; ${note}`).join(''),
  },
  embed: {
    folder: { of: 'run', name: 'embeddings' },
    queue: 'gpu',
    activity: 'embed',
    firstRound: 1,
    minutes: 360,
    shards: { folder: 'embedding-shards', queue: 'gpu', minutes: 360 },
    local: [...trainerFiles, 'images.json'],
    resume: [],
    description: "embed the pool's images for the nearest-image search",
    writes: '`embeddings/`, once a run: the pool of images, for the nearest-image search',
    summary: ({ images }: EmbedOutcome) => `${images} images`,
  },
  sample: {
    folder: { of: 'round', name: 'sample' },
    queue: 'cpu',
    activity: 'sample',
    firstRound: 1,
    minutes: 60,
    local: [],
    resume: [],
    description: "choose what to ask the teacher, from the last good round's bad cases and weights",
    writes: '`sample/requests.jsonl`, by Adaptive Bad-case Sampling',
    summary: ({ requests, wanted }: SampleOutcome) =>
      wanted === undefined ? `${requests} requests` : `${requests} requests of ${wanted}: no more images are free`,
  },
  generate: {
    folder: { of: 'round', name: 'generate' },
    queue: 'cpu',
    firstRound: 1,
    local: [],
    resume: [],
    description: 'ask the teacher for new samples',
    writes: "`generate/gptvqa_result.jsonl`, the teacher's raw answers",
    summary: ({ answers, unanswered }: GenerateOutcome) => `${answers} answers${leftOut(unanswered)}`,
  },
  verify: {
    folder: { of: 'round', name: 'verify' },
    queue: 'cpu',
    firstRound: 1,
    local: [],
    resume: [],
    description:
      'ask the teacher its own questions again, where verify.blindAnswers or verify.languageOnlyAnswers is set',
    writes: '`verify/`, where the config asks for it: how the teacher answers its own questions',
    summary: ({ answers, samples, unanswered = 0 }: VerifyOutcome) =>
      `${answers} answers about ${samples} samples${leftOut(unanswered)}`,
  },
  refine: {
    folder: { of: 'round', name: 'refine' },
    queue: 'cpu',
    activity: 'refine',
    firstRound: 1,
    minutes: 60,
    local: [],
    resume: [],
    description: "parse and filter the teacher's answers",
    writes: '`refine/DataEngine_round<k>_data.json`, `rejected.jsonl` with reasons',
    summary: ({ accepted, rejected }: RefineOutcome) => `${accepted} accepted, ${rejected} rejected`,
  },
  select: {
    folder: { of: 'round', name: 'select' },
    queue: 'gpu',
    activity: 'select',
    firstRound: 1,
    minutes: 360,
    local: [...trainerFiles, 'questions.jsonl'],
    resume: ['*.part.jsonl'],
    description: 'have the last good model answer the samples: to select by difficulty, or for preference pairs',
    writes: '`select/`, where the config asks for it: how the last good model answers, and the samples that are kept',
    summary: ({ accepted, tooEasy, tooHard, spare }: SelectOutcome) =>
      `${accepted} kept, ${tooHard} too hard, ${tooEasy} too easy${spare > 0 ? `, ${spare} more than requested` : ''}`,
  },
  append: {
    folder: { of: 'round', name: 'append' },
    queue: 'cpu',
    activity: 'append',
    firstRound: 1,
    minutes: 30,
    publishes: 'DataEngine_round<k>_data.json',
    local: [],
    resume: [],
    description: 'append the accepted samples as a new dataset version',
    writes: 'a dataset version: manifest with parents and hashes; where pairs are learned from, `append/pairs.jsonl`',
    summary: ({ version, undecided }: AppendOutcome) =>
      undecided
        ? `${undecided} samples to review`
        : version === ''
          ? 'no sample left'
          : `version ${version.slice(0, 12)}`,
  },
  finetune: {
    folder: { of: 'round', name: 'finetune' },
    queue: 'gpu',
    activity: 'finetune',
    firstRound: 0,
    local: [...trainerFiles, 'mixture/'],
    resume: ['checkpoints/'],
    remade: ['mixture/'],
    description: "finetune the adapter on the round's mixture; resumes from its checkpoint",
    writes: '`finetune/` adapter (PEFT), checkpoints, `loss.jsonl`, TensorBoard events',
    summary: ({ samples, steps, loss }: FinetuneOutcome) =>
      steps === 0 ? 'the adapter of finetune.round0Adapter' : `${samples} samples, loss ${decimals(loss, 3)}`,
  },
  merge: {
    folder: { of: 'round', name: 'merged' },
    queue: 'gpu',
    activity: 'merge',
    firstRound: 0,
    minutes: 60,
    local: [...trainerFiles, 'model.partial/'],
    resume: ['checkpoints/'],
    remade: ['*.safetensors'],
    description: 'merge the adapter into the base model',
    writes: '`merged/` model directory (Hugging Face), checked against base + adapter',
    summary: ({ parity }: MergeOutcome) => `parity ${scientific(parity)}`,
  },
  'check-serving': {
    folder: { of: 'round', name: 'check-serving' },
    queue: 'gpu',
    activity: 'checkServing',
    firstRound: 0,
    minutes: 360,
    local: [...trainerFiles, 'questions.jsonl', 'merged-ranking.jsonl', 'images/'],
    resume: [],
    description: 'put questions to base and adapter, merged and served model, where gate.serving is set',
    writes: '`check-serving/`, where the config asks for it: whether the served model gives the same answers',
    summary: ({ questions, nearTies, largestLossDifference }: CheckServingOutcome) =>
      `${questions} questions, one answer${nearTies ? `, ${nearTies} texts part at a near tie` : ''}; ${largestLossDifference === undefined ? 'texts alone' : `losses within ${largestLossDifference.toPrecision(1)}`}`,
  },
  evaluate: {
    folder: { of: 'round', name: 'evaluate' },
    queue: 'cpu',
    activity: 'evaluate',
    asksTeacher: true,
    firstRound: 0,
    minutes: 360,
    shards: { folder: 'evaluate-shards', queue: 'gpu', minutes: 360 },
    local: [...trainerFiles, 'questions.jsonl'],
    resume: ['*.part.jsonl'],
    description: 'score the merged model on the validation and test questions and the benchmarks',
    writes: '`evaluate/aokvqa_eval.json`; MC by loss ranking over the choices, DA',
    summary: ({ measure = 'MC', multipleChoice, testMultipleChoice }: EvaluateOutcome) =>
      `${measure} ${decimals(multipleChoice, 1)} %${testMultipleChoice === undefined ? '' : `, test ${measure} ${decimals(testMultipleChoice, 1)} %`}`,
  },
  judge: {
    folder: { of: 'round', name: 'judge' },
    queue: 'cpu',
    firstRound: 0,
    local: [],
    resume: [],
    description: 'have the teacher score the written answers of sets with questions.metric: judge',
    writes: "`judge/`, where the config asks for it: the teacher's scores of written answers, which `evaluate` joins",
    summary: ({ judged, unjudged }: JudgeOutcome) => `${judged} answers judged${leftOut(unjudged)}`,
  },
  discover: {
    folder: { of: 'round', name: 'discover' },
    queue: 'cpu',
    activity: 'discover',
    asksTeacher: true,
    firstRound: 0,
    minutes: 360,
    alsoWrites: ['evaluate'],
    local: [],
    resume: [],
    description: 'have the teacher propose question types, with questionTypes.source: discover, and sort the questions',
    writes: '`discover/`, where the config asks for it: question types that the teacher proposes',
    summary: ({ types, proposed, kappa }: DiscoverOutcome) =>
      `${types} question types, ${proposed} new${kappa === undefined ? '' : `, kappa of two sortings ${decimals(kappa, 2)}`}`,
  },
  classify: {
    folder: { of: 'round', name: 'classify' },
    queue: 'cpu',
    activity: 'classify',
    asksTeacher: true,
    firstRound: 0,
    minutes: 360,
    local: [],
    resume: [],
    description: 'sort the bad cases by question type and compute the weights',
    writes: '`classify/bad_case_aokvqa_classified.json`, `weight.json`',
    summary: ({ badCases }: ClassifyOutcome) => `${badCases} bad cases`,
  },
  compare: {
    folder: { of: 'round', name: 'compare' },
    queue: 'cpu',
    activity: 'compare',
    firstRound: 0,
    minutes: 60,
    local: [],
    resume: [],
    description: "compare the round's model with that of the last good round",
    writes: '`compare/comparison.json`, `forgotten.json`: against the last good round, by paired tests',
    summary: ({ change, builtOn }: CompareOutcome) =>
      builtOn === undefined ? 'nothing to compare with' : `${signedPoints(change)} points against round ${builtOn}`,
  },
  gate: {
    folder: { of: 'round', name: 'gate' },
    queue: 'cpu',
    firstRound: 0,
    minutes: 60,
    alsoWrites: ['compare'],
    local: [],
    resume: [],
    description: "compare a round's model with that of the last good round, and decide whether it is built upon",
    writes: '`gate/decision.json`: whether later rounds build upon it',
    summary: describeGate,
  },
  report: {
    queue: 'cpu',
    activity: 'report',
    firstRound: 0,
    minutes: 30,
    local: [],
    resume: [],
    description: 'write report.html',
    writes: '`report.html` of the run, one self-contained file',
    summary: ({ file }: ReportOutcome) => file,
  },
} as const satisfies Record<string, StepRow>;

export type StepName = keyof typeof steps;
export const stepNames = Object.keys(steps) as StepName[];

/** What a step returns. */
export type OutcomeOf<N extends StepName> = Parameters<(typeof steps)[N]['summary']>[0];

/** The steps that have a folder in each round. */
export type RoundStep = {
  [N in StepName]: (typeof steps)[N] extends { folder: { of: 'round' } } ? N : never;
}[StepName];

/** The steps that have a folder in each round, in order. */
export const roundSteps = stepNames.filter((name): name is RoundStep => rowOf(name).folder?.of === 'round');

/** Whether it is the name of a step in the table. */
export function isStepName(name: string): name is StepName {
  return Object.hasOwn(steps, name);
}

/** A step's row with the types of all rows, for code that treats steps alike. */
export function rowOf(step: StepName): StepRow {
  return steps[step];
}

/** `+1.2` or `−0.4` */
function signedPoints(points: number): string {
  return `${points >= 0 ? '+' : '−'}${Math.abs(points).toFixed(1)}`;
}

function describeGate({ accepted, by, reason }: GateOutcome): string {
  if (by === 'first') return 'accepted';
  const who = by === 'person' ? ' by a person' : by === 'default' ? ' as nobody decided' : '';
  return `${accepted ? 'accepted' : 'set aside'}${who} ${reason}`;
}

/** Reasons with their counts, such as "a choice is empty (2), the image id is a text of digits (1)". */
export function describeCounts(countsByReason: Readonly<Record<string, number>>): string {
  return Object.entries(countsByReason)
    .map(([reason, count]) => `${reason} (${count})`)
    .join(', ');
}

function leftOut(unanswered: number): string {
  return unanswered > 0 ? `, ${unanswered} left out` : '';
}

/** `9.1e-6` */
function scientific(value: number | undefined): string {
  return value === undefined ? '–' : value === 0 ? '0' : value.toExponential(1);
}

function decimals(value: number | undefined, count: number): string {
  return value === undefined ? '–' : value.toFixed(count);
}
