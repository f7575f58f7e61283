import { boxesFound, readBoxes } from './boxes.ts';
import { compareFields, readJsonValue } from './json-fields.ts';
import type { Metric, MetricSettings } from './metric.ts';
import { haveSameItems, isRelaxedCorrect, levenshteinSimilarity, listItems, readYesOrNo } from './short-answers.ts';
import { normalizeVqaAnswer, textVqaAccuracy, vqaAccuracy } from './vqa-answers.ts';

export { fieldKinds } from './json-fields.ts';
export type { Metric, MetricSettings } from './metric.ts';

const lmmsEval = 'lmms-eval 75571cf';
const vlmEvalKit = 'VLMEvalKit e8e78f0';
const vqaEval = 'GT-Vision-Lab/VQA a013f00';

const donut = 'clovaai/donut 4cfcf97';

/** Enough for a few words or a number. */
const FEW_TOKENS = 32;
/** Enough for the fields of a receipt. */
const MANY_TOKENS = 512;
const noFields = { f1: 0, precision: 0, recall: 0 };
/** Each reference is compared with the others; with fewer, no answer could reach 1. */
const LEAST_VQA_REFERENCES = 4;

/** The best over the references. */
function best(references: readonly string[], score: (reference: string) => number): number {
  return references.reduce((highest, reference) => Math.max(highest, score(reference)), 0);
}

function tooFewForVqa(references: readonly string[]): string | undefined {
  if (references.length >= LEAST_VQA_REFERENCES) return undefined;
  return `has ${references.length} references, and VQA accuracy takes at least ${LEAST_VQA_REFERENCES}`;
}

/** All metrics of written answers, by the name that a config gives. A new one is its function and its entry here. */
export const metrics = {
  'exact-match': {
    title: 'Exact match',
    source: `normalization of ${vqaEval}, against each reference`,
    maximumNewTokens: FEW_TOKENS,
    score: (answer, references) => {
      const given = normalizeVqaAnswer(answer);
      return { exactMatch: best(references, (reference) => (normalizeVqaAnswer(reference) === given ? 1 : 0)) };
    },
  },
  'vqa-accuracy': {
    title: 'VQA accuracy',
    source: `vqaEval.py of ${vqaEval}`,
    maximumNewTokens: FEW_TOKENS,
    problem: tooFewForVqa,
    score: (answer, references) => ({ vqaAccuracy: vqaAccuracy(answer, references) }),
  },
  'textvqa-accuracy': {
    title: 'VQA accuracy (TextVQA)',
    source: `tasks/textvqa of ${lmmsEval}`,
    maximumNewTokens: FEW_TOKENS,
    problem: tooFewForVqa,
    score: (answer, references) => ({ vqaAccuracy: textVqaAccuracy(answer, references) }),
  },
  anls: {
    title: 'ANLS',
    source: `api/metrics.py of ${lmmsEval}`,
    maximumNewTokens: FEW_TOKENS,
    score: (answer, references) => ({
      anls: best(references, (reference) => levenshteinSimilarity(answer, reference)),
    }),
  },
  'relaxed-accuracy': {
    title: 'Relaxed accuracy',
    source: `dataset/utils/vqa_eval.py of ${vlmEvalKit}`,
    settings: ['tolerance'],
    maximumNewTokens: FEW_TOKENS,
    score: (answer, references, { tolerance = 0.05 } = {}) => ({
      relaxedAccuracy: best(references, (reference) => (isRelaxedCorrect(answer, reference, tolerance) ? 1 : 0)),
    }),
  },
  'list-match': {
    title: 'List match',
    source: `StringSetEqualityCommaSplit of tasks/megabench of ${lmmsEval}`,
    maximumNewTokens: 2 * FEW_TOKENS,
    score: (answer, references) => {
      const items = listItems(answer);
      return { listMatch: best(references, (reference) => (haveSameItems(items, listItems(reference)) ? 1 : 0)) };
    },
  },
  json: {
    title: 'JSON by field',
    source: `JSONParseEvaluator of ${donut}, of one answer`,
    settings: ['fields'],
    maximumNewTokens: MANY_TOKENS,
    referenceProblem: (reference) =>
      readJsonValue(reference) === undefined ? `is '${reference.slice(0, 100)}', which is no JSON object` : undefined,
    score: (answer, references, { fields } = {}) => {
      const value = readJsonValue(answer);
      const scores = references.flatMap((reference) => {
        const wanted = readJsonValue(reference);
        return value === undefined || wanted === undefined ? [] : [compareFields(value, wanted, fields)];
      });
      const { f1, precision, recall } = scores.sort((one, other) => other.f1 - one.f1)[0] ?? noFields;
      return { fieldF1: f1, fieldPrecision: precision, fieldRecall: recall };
    },
  },
  'box-iou': {
    title: 'Boxes at IoU 0.5',
    source: `tasks/refcoco of ${lmmsEval}`,
    maximumNewTokens: 4 * FEW_TOKENS,
    referenceProblem: (reference) =>
      readBoxes(reference) === undefined ? `is '${reference.slice(0, 100)}', in which no box is found` : undefined,
    score: (answer, references) => {
      const given = readBoxes(answer) ?? [];
      return { boxAccuracy: best(references, (reference) => boxesFound(given, readBoxes(reference) ?? [])) };
    },
  },
  'yes-no': {
    title: 'Yes or no',
    source: `YOrN_Extraction of ${vlmEvalKit}`,
    maximumNewTokens: FEW_TOKENS,
    referenceProblem: (reference) =>
      /^(?:yes|no)$/i.test(reference) ? undefined : `is '${reference}', which is neither yes nor no`,
    score: (answer, references) => {
      const given = readYesOrNo(answer);
      return { accuracy: best(references, (reference) => (reference.toLowerCase() === given ? 1 : 0)) };
    },
  },
  judge: {
    title: 'Judged by the teacher',
    source: 'the rubric (configs/prompts/judge-v1.md)',
    needsJudge: true,
    maximumNewTokens: 8 * FEW_TOKENS,
    score: (_answer, _references, { judged = 0 } = {}) => ({ judgeScore: judged }),
  },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof metrics;

export const metricNames = Object.keys(metrics) as [MetricName, ...MetricName[]];

/** The names of the metrics that have a setting. */
export function metricsWith(setting: keyof MetricSettings): MetricName[] {
  return metricNames.filter((name) => metricOf(name).settings?.includes(setting));
}

/** Why answers can't be scored against these references; undefined when they can. */
export function referencesProblem(metric: Metric, references: readonly string[]): string | undefined {
  const [found] = references.flatMap((reference) => metric.referenceProblem?.(reference) ?? []);
  return found ?? metric.problem?.(references);
}

/** The metric of a name. */
export function metricOf(name: MetricName): Metric {
  return metrics[name];
}
