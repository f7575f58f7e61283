/** How a job tells its parent how far it is; the trainer process turns these into protocol messages. */
export interface JobReporter {
  progress(progress: {
    /** What the steps are of, when it is not the job's main work. Each phase counts from 0. */
    phase?: string;
    step: number;
    steps: number;
    loss?: number;
    learningRate?: number;
    tokensPerSecond?: number;
    etaSeconds?: number;
  }): void;
  checkpoint(checkpoint: { step: number; uri: string }): void;
  /** A line for the log. */
  note(message: string): void;
  /** Aborted when the job should stop. */
  signal: AbortSignal;
}

/** What a finished job leaves. */
export interface JobOutcome {
  outputs: string[];
  metrics: Record<string, number>;
}
