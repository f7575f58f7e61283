import type { ReportRound } from '../../src/report/report-input.ts';

/** A round in which nothing was scored, added or trained: tests say what theirs has. */
export const emptyRound: ReportRound = {
  round: 0,
  validation: { mc: 0, da: 0, errorByType: {} },
  benchmarks: [],
  weights: {},
  sampledByType: {},
  samplesAdded: 0,
  rejectedByReason: {},
  teacherTokens: 0,
  secondsByStep: {},
  lossCurve: [],
};
