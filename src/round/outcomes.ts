import type { Stop } from '../evaluation/stop-rules.ts';
import type { StepOutcome } from './step-context.ts';

export interface PrepareDataOutcome extends StepOutcome {
  questions: number;
  images: number;
}

export interface FinetuneOutcome extends StepOutcome {
  /** Distinct samples in the mixture. */
  samples: number;
  steps: number;
  /** Mean loss of the last steps. */
  loss?: number;
}

export interface MergeOutcome extends StepOutcome {
  /** Largest difference of a logit between the merged model and base + adapter. */
  parity: number;
}

export interface EvaluateShardOutcome extends StepOutcome {
  questions: number;
}

/** Accuracies in percent. */
export interface EvaluateOutcome extends StepOutcome {
  multipleChoice: number;
  directAnswer: number;
  testMultipleChoice?: number;
  testDirectAnswer?: number;
  questions: number;
}

export interface ClassifyOutcome extends StepOutcome {
  badCases: number;
  /** Wrong / asked, by question type. */
  errorByType: Record<string, number>;
}

export interface EmbedOutcome extends StepOutcome {
  images: number;
}

export interface SampleOutcome extends StepOutcome {
  requests: number;
}

export interface GenerateOutcome extends StepOutcome {
  answers: number;
  /** Requests left without an answer: the budget was used up, or they failed time and again. */
  unanswered: number;
  /** Of all calls, in the currency of the prices. */
  cost: number;
  promptTokens: number;
  completionTokens: number;
}

export interface VerifyOutcome extends StepOutcome {
  /** How many samples were asked about, and how often the teacher answered. */
  samples: number;
  answers: number;
  /** Questions left without an answer: the budget was used up, or they failed time and again. */
  unanswered: number;
  promptTokens: number;
  completionTokens: number;
}

export interface RefineOutcome extends StepOutcome {
  accepted: number;
  rejected: number;
}

export interface AppendOutcome extends StepOutcome {
  /** Content hash of the dataset version. */
  version: string;
  samplesAdded: number;
}

/** A round's model against that of the last good round, on the validation questions. */
export interface CompareOutcome extends StepOutcome {
  /** The last good round; absent for round 0. */
  builtOn?: number | undefined;
  /** Whether a person is to decide. */
  asksPerson: boolean;
  worse: boolean;
  /** Where it is worse, in words; empty where it is not. */
  reason: string;
  /** Of multiple choice, in points (percent); 0 for round 0. */
  change: number;
  /** That it got worse overall, one-sided. */
  pValue: number;
  /** Of the questions that the best earlier rounds got right, how many there are and how many are wrong now. */
  remembered: number;
  forgotten: number;
  /** The page that a person looks at who decides. */
  samplesPage?: string | undefined;
}

export interface GateOutcome
  extends StepOutcome,
    Pick<CompareOutcome, 'builtOn' | 'change' | 'pValue' | 'remembered' | 'forgotten'> {
  accepted: boolean;
  by: 'first' | 'policy' | 'test' | 'person' | 'default';
  reason: string;
  /** The last good round now: this one, when it was accepted. */
  lastGood: number;
  /** Why the run ends with this round, when it does. */
  stop?: Stop | undefined;
}

export interface ReportOutcome extends StepOutcome {
  file: string;
}
