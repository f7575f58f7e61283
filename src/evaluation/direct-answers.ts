/** Scores of a round, in percent. */
interface ScoresOfRound {
  multipleChoice: number;
  directAnswer: number;
  testMultipleChoice?: number | undefined;
  testDirectAnswer?: number | undefined;
}

/**
 * Whether direct answers say anything of their own. Where everybody gave the words of the right choice, and answers are the
 * words of the model's choice, they are multiple choice again, to the digit: tables and charts then leave them out.
 */
export function directAnswersDiffer(rounds: readonly ScoresOfRound[]): boolean {
  return rounds.some(
    (round) =>
      round.directAnswer !== round.multipleChoice ||
      (round.testDirectAnswer !== undefined && round.testDirectAnswer !== round.testMultipleChoice),
  );
}
