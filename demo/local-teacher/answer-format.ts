/** A question with its answer, before it is written down. */
export interface TeacherQuestion {
  question: string;
  choices: readonly string[];
  correctChoiceIndex: number;
  explanation: string;
}

/** The parts of an answer, each a line. */
export interface AnswerParts {
  question: string;
  choices: string;
  answer: string;
  explanation: string;
}

const letters = 'ABCDEFGH';

/** Writes the four parts as the prompt asks for them. */
export function writeParts({ question, choices, correctChoiceIndex, explanation }: TeacherQuestion): AnswerParts {
  return {
    question: `Question: ${question}`,
    choices: `Choices: ${choices.map((choice, index) => `(${letters[index]}) ${choice}`).join(' ')}`,
    answer: `Answer: The answer is (${letters[correctChoiceIndex]}): ${choices[correctChoiceIndex]}.`,
    explanation: `Explanations: ${explanation}`,
  };
}

/** The parts that are there, as one text. */
export function joinParts(parts: Partial<AnswerParts>): string {
  return [parts.question, parts.choices, parts.answer, parts.explanation]
    .filter((part) => part !== undefined)
    .join('\n');
}
