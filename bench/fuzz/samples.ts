/** A record of generated data that is right. */
export const engineSample = {
  image_id: 17,
  raw_instructions: 'Question: …',
  question_type: 'color',
  question: 'Which?',
  choices: ['red', 'blue', 'green', 'black'],
  correct_choice_idx: 1,
  rationales: ['It is blue.'],
};
