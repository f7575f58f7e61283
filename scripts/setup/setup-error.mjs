/** A step of set-up failed: what was tried, and what to do. */
export class SetupError extends Error {
  /**
   * @param {{ problem: string, tried?: string[], remedy: string, isFinal?: boolean }} input
   *   `isFinal`: no other way may be tried instead
   */
  constructor({ problem, tried = [], remedy, isFinal = false }) {
    super(problem);
    this.name = 'SetupError';
    this.tried = tried;
    this.remedy = remedy;
    this.isFinal = isFinal;
  }

  /** The problem, what was tried and the remedy, as lines for a terminal. */
  describe(step) {
    const tried =
      this.tried.length > 0
        ? ['  Tried:', ...this.tried.map((line) => `    - ${line.replaceAll('\n', '\n      ')}`)]
        : [];
    return [`Set-up failed at "${step}": ${this.message}`, ...tried, `  What to do: ${this.remedy}`].join('\n');
  }
}
