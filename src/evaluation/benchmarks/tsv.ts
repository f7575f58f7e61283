/**
 * Any file of VLMEvalKit's layout (`tsv-rows.ts`). Questions with options are asked and matched as its `ImageMCQDataset` does
 * without a judge model; all others are scored by the metric that the config names.
 */
import { InputError } from '../../core/input-error.ts';
import { LETTERS, withInstruction } from '../../datasets/question-text.ts';
import { matchExactly } from '../exact-matching.ts';
import { type MetricName, type MetricSettings, metricOf } from '../metrics/index.ts';
import { requireReferences } from './answer-benchmarks.ts';
import { type Measures, type QuestionScore, type QuestionSettings, withAccuracyOfAll } from './benchmark.ts';
import { readTsvFile, recordOfTsv } from './record-files.ts';
import { answerOf, rightLetter, scoreEach, type WrittenQuestion, writtenBenchmark } from './written-benchmark.ts';

const defaultInstruction = 'Answer the question using a single word or phrase.';
/** Enough for an option repeated in words; an explanation after it is not used. */
const tokensOfChoice = 64;

export const tsv = writtenBenchmark({
  title: 'Tab-separated file',
  downloads: {},
  takesQuestionSettings: true,
  ranks: true,
  maximumNewTokens: (question) =>
    question.choices === undefined ? metricOf(metricOfQuestion(question)).maximumNewTokens : tokensOfChoice,

  words({ question, context, choices, letters = LETTERS, facts = {} }) {
    if (choices === undefined) return withInstruction(question, facts.instruction);
    const hint = context === undefined ? '' : `Hint: ${context}\n`;
    const options = choices.map((choice, index) => `${letters[index]}. ${choice}\n`).join('');
    return `${hint}Question: ${question}\nOptions:\n${options}Please select the correct answer from the options above. \n`;
  },

  async *read(source) {
    const { file, settings } = source;
    const { metric, tolerance, fields, instruction } = settings;
    refuseOthers(settings);
    // The limit is of questions that have an image.
    for (const row of await readTsvFile({ ...source, limit: undefined })) {
      // As VLMEvalKit leaves out what has no image.
      if (row.images.length === 0) continue;
      const record = recordOfTsv(row);
      if (record.choices !== undefined) {
        yield record;
        continue;
      }
      if (metric === undefined) {
        const problem = `question ${record.id} has no options, and no metric for short answers is named`;
        throw new InputError({ file, field: 'A', problem, remedy: 'Name one (`questions.metric`, or --metric)' });
      }
      requireReferences(file, metric, record);
      const asked = instruction ?? (metric === 'yes-no' ? undefined : defaultInstruction);
      const facts = {
        metric,
        ...(asked !== undefined && { instruction: asked }),
        settings: JSON.stringify({ tolerance, fields }),
      };
      yield { ...record, facts };
    }
  },

  score(answered) {
    const chosen = answered.filter(({ question }) => question.choices !== undefined);
    const written = answered.filter(({ question }) => question.choices === undefined);
    const mains: QuestionScore[] = [];
    const parts: Measures = {};
    if (chosen.length > 0) parts.multipleChoice = scoreEach(chosen, isMatchedChoice);
    for (const one of written) {
      const { metric, settings: given = '{}' } = one.question.facts ?? {};
      const settings = JSON.parse(given) as MetricSettings;
      const scores = metricOf(metric as MetricName).score(answerOf(one), one.question.answers ?? [], settings);
      for (const [place, [measure, score]] of Object.entries(scores).entries()) {
        const scored = scoreEach([one], () => score);
        if (place === 0) mains.push(...scored);
        parts[measure] ??= [];
        parts[measure].push(...scored);
      }
    }
    if (chosen.length === 0 || mains.length === 0) return parts;
    return withAccuracyOfAll([...(parts.multipleChoice ?? []), ...mains], parts);
  },
});

function metricOfQuestion({ facts = {} }: WrittenQuestion): MetricName {
  return facts.metric as MetricName;
}

/** @throws InputError for settings of questions of your own, which have other layouts, and may be judged */
function refuseOthers({ format, columns, metric, skipInvalid }: QuestionSettings): void {
  const refuse = (name: string, problem: string) => {
    throw new InputError({ file: 'settings of tsv', field: `questions.${name}`, problem, remedy: 'Leave it out' });
  };
  const [name] = Object.entries({ format, columns }).find(([, value]) => value !== undefined) ?? [];
  const layout = 'is for questions of your own; this layout is always tab-separated, with columns of fixed names';
  if (name !== undefined) refuse(name, layout);
  if (skipInvalid) refuse('skipInvalid', 'is for questions of your own: of a published file every row counts');
  if (metric !== undefined && metricOf(metric).needsJudge) refuse('metric', `${metric} is for questions of your own`);
}

function isMatchedChoice({ choices = [], letters = LETTERS, correct }: WrittenQuestion, answer: string): boolean {
  const options = choices.map((text, index) => ({ letter: letters[index] as string, text }));
  const found = matchExactly(answer, options);
  return found !== undefined && found !== 'none' && found.letter === rightLetter({ correct, letters });
}
