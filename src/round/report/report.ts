import { join } from 'node:path';
import { z } from 'zod';
import { targetsByPart } from '../../config/lora-schema.ts';
import { preferenceOf } from '../../config/preference-schema.ts';
import { difficultyOf, requestsOfRound } from '../../config/sample-schemas.ts';
import { fileExists } from '../../core/files.ts';
import { readJson } from '../../core/read-json.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { compareRounds } from '../../evaluation/round-comparison.ts';
import { lastGoodRound } from '../../report/decisions.ts';
import type { ReportInput } from '../../report/report-input.ts';
import { roundsShown } from '../../report/tables.ts';
import { writeReport } from '../../report/write-report.ts';
import { poolFolder } from '../dataset-paths.ts';
import { readAnswers } from '../evaluate/results.ts';
import { finishedStep, manifestIn } from '../finished-step.ts';
import { agreementFile } from '../question-types.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { type TeacherContext, teacherName } from '../teacher.ts';
import { readCosts, readEndedRound } from './read-costs.ts';
import { readLineage } from './read-lineage.ts';
import { readReportBadCases, readReportRejected, readReportRound, readReportSamples } from './read-round.ts';
import type { ReportOutcome } from './results.ts';

const agreementSchema = z.object({
  share: z.number(),
  questions: z.number(),
  kappa: z.number(),
  /** Of two sortings into discovered types; absent where it is with a classified file. */
  of: z.literal('sortings').optional(),
});

/** Writes `report.html` about all finished rounds, completely each time. */
export async function report(context: StepContext): Promise<ReportOutcome> {
  const { config, run, signal } = context;
  const startedAt = Date.now();
  const rounds: ReportInput['rounds'] = [];
  const generated: ReportInput['generated'] = [];
  const rejected: ReportInput['rejected'] = [];
  const pool = poolFolder(config);
  const costOf = await readCosts(context);
  for (let round = 0; (await manifestIn(run, stepDirectory(run, round, 'classify'))) !== undefined; round += 1) {
    signal.throwIfAborted();
    rounds.push(await readReportRound(context, round, costOf));
  }
  const numbers = rounds.map(({ round }) => round);
  const last = numbers.slice(-roundsShown);
  for (const round of last) {
    signal.throwIfAborted();
    generated.push(...(await readReportSamples({ config, run, pool }, round)));
    rejected.push(...(await readReportRejected({ config, run, pool }, round)));
  }
  const file = join(run.root, 'report.html');
  await writeReport({
    run: config.run ?? '',
    configSummary: [...summarize(context), ...(await summarizeAgreement(run))],
    rounds,
    plannedRounds: config.rounds,
    ended: await readEndedRound(run, rounds.length, costOf),
    level: config.gate.level,
    change: await changeOfRun(context, rounds),
    badCases: await readReportBadCases(config, run, last),
    generated,
    rejected,
    lineage: await readLineage(config, run, numbers),
    output: file,
  });
  const shown = (await run.stored?.publish(file)) ?? file;
  return { file: shown, seconds: (Date.now() - startedAt) / 1000, reused: false };
}

/** Round 0 against the last round that is built upon; undefined while there is none. */
async function changeOfRun(
  { config, run }: StepContext,
  rounds: ReportInput['rounds'],
): Promise<ReportInput['change']> {
  const to = lastGoodRound(rounds)?.round ?? 0;
  if (to === 0) return undefined;
  const answersOf = async (round: number) => readAnswers((await finishedStep(run, round, 'evaluate')).directory);
  return { from: 0, to, comparison: compareRounds(await answersOf(0), await answersOf(to), config.gate) };
}

function summarize(context: TeacherContext): ReportInput['configSummary'] {
  const { seed, model, data, finetune, sampling } = context.config;
  const { epochs, stepsPerEpoch, batchSize, learningRate, objective } = finetune;
  const preference = preferenceOf(finetune);
  const learned = [
    ...(objective === 'dpo' ? [] : [`${batchSize} samples`]),
    ...(preference ? [`${preference.batchSize} preference pairs (${objective}, beta ${preference.beta})`] : []),
  ];
  const passes = `${epochs} ${epochs === 1 ? 'pass' : 'passes'} over the data in batches`;
  const length = stepsPerEpoch === 'auto' ? passes : `${epochs * stepsPerEpoch} steps`;
  return [
    { label: 'Seed', value: String(seed) },
    { label: 'Base model', value: model.path },
    { label: 'Answer format', value: data.format },
    {
      label: 'Finetune',
      value: `${length} of ${learned.join(' and ')}, peak learning rate ${learningRate.peak}`,
    },
    { label: 'LoRA', value: describeTrained(finetune) },
    { label: 'Sampling', value: describeSampling(sampling) },
    { label: 'Teacher', value: teacherName(context) },
  ];
}

function describeTrained({ lora, trainable = [] }: TeacherContext['config']['finetune']): string {
  const { rank, alpha, rslora, dora } = lora;
  const { language, ...others } = targetsByPart(lora.targetModules);
  const parts = Object.entries(others).filter(([, names]) => names.length > 0);
  const layers = [language.join(', '), ...parts.map(([part, names]) => `${part} ${names.join(', ')}`)];
  const on = layers.filter((names) => names !== '').join('; ');
  const whole = trainable.map((part) => `; ${part} trained whole`).join('');
  return `${rslora ? 'rank-stabilized, ' : ''}${dora ? 'weight-decomposed, ' : ''}rank ${rank}, alpha ${alpha}, on ${on}${whole}`;
}

function describeSampling(sampling: TeacherContext['config']['sampling']): string {
  const difficulty = difficultyOf(sampling);
  const requests = `${sampling.strategy}, ${requestsOfRound(sampling)} requests a round`;
  if (difficulty === undefined) return requests;
  const { from, to } = difficulty;
  return `${requests}; at most ${sampling.requests} samples are kept that the model gets right with probability ${from} to ${to}`;
}

/** How well the teacher classifies questions, where the right question types are known. */
async function summarizeAgreement(run: RunDirectory): Promise<ReportInput['configSummary']> {
  const file = join(run.root, agreementFile);
  const there = await fileExists(file);
  if (!there) return [];
  const { share, questions, kappa, of } = await readJson(file, agreementSchema);
  const value = `${(share * 100).toFixed(1)} % of ${questions} questions, kappa ${kappa.toFixed(2)}`;
  const what =
    of === 'sortings'
      ? 'Two sortings into the discovered question types agree'
      : "Teacher's question types agree with the classified file";
  return [{ label: what, value }];
}
