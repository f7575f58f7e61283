/** How much a server takes on at a time. */

export interface AdmissionLimits {
  /** Answers that are computed or wait for it. */
  answers: number;
  /** Of the bodies of all these requests together. */
  bytes: number;
}

/** A place among the requests that are under way. */
export interface Admitted {
  /** Takes more answers under the same request. @returns false where there is no place for them */
  widen(answers: number): boolean;
  leave(): void;
}

const [leastRetrySeconds, mostRetrySeconds] = [1, 60];

/** Counts what is under way, and refuses what is more than the limits. The first request is always taken. */
export class Admission {
  readonly #limits: AdmissionLimits;
  #answers = 0;
  #bytes = 0;
  /** A moving mean, in seconds. */
  #duration = leastRetrySeconds;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get answers(): number {
    return this.#answers;
  }

  /** When a place is likely free again, in whole seconds. */
  get retryAfter(): number {
    return Math.min(Math.max(Math.ceil(this.#duration), leastRetrySeconds), mostRetrySeconds);
  }

  /** @returns undefined where there is no place */
  enter(bytes: number): Admitted | undefined {
    if (this.#answers > 0 && (this.#answers >= this.#limits.answers || this.#bytes + bytes > this.#limits.bytes)) {
      return undefined;
    }
    let taken = 1;
    this.#answers += 1;
    this.#bytes += bytes;
    const start = performance.now();
    return {
      widen: (answers) => {
        const isFree = this.#answers + answers <= this.#limits.answers;
        if (isFree) {
          taken += answers;
          this.#answers += answers;
        }
        return isFree;
      },
      leave: () => {
        this.#duration += ((performance.now() - start) / 1000 - this.#duration) / 8;
        this.#answers -= taken;
        this.#bytes -= bytes;
      },
    };
  }
}
