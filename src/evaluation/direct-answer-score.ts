/**
 * VQA accuracy of one answer, 0 to 1: it is right when three of the ten people gave it, and a third right for
 * each one below. Case and outer blanks don't count.
 *
 * Follows the evaluation of A-OKVQA (https://github.com/allenai/aokvqa).
 */
export function directAnswerScore(answer: string, directAnswers: readonly string[]): number {
  const given = normalizeAnswer(answer);
  const matches = directAnswers.filter((directAnswer) => normalizeAnswer(directAnswer) === given).length;
  return Math.min(1, matches / 3);
}

function normalizeAnswer(answer: string): string {
  return answer.trim().toLowerCase();
}
