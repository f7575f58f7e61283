/** Why an answer of the teacher is of no use for training. */
export type RejectionReason =
  // The reference system's filters.
  | 'skip'
  | 'coordinates'
  | 'located_at_box'
  | 'description'
  // What can't be parsed into a question with four choices and one answer.
  | 'missing_part'
  | 'choice_count'
  | 'choices_not_distinct'
  | 'answer_not_among_choices'
  | 'two_answers'
  // What is no sample to train on.
  | 'not_a_sample'
  | 'prompt_text'
  | 'choice_about_choices'
  | 'explanation_contradicts_answer'
  // What is there already, or must not be learned.
  | 'duplicate'
  | 'near_duplicate'
  | 'asked_too_often'
  | 'evaluation_image'
  | 'evaluation_question'
  // What the teacher itself does not stand by, or knows without the image.
  | 'teacher_disagrees'
  | 'needs_no_image';

/** A reason, with the words in the answer that it is about. */
export interface Rejection {
  reason: RejectionReason;
  detail: string;
}

/**
 * The reference system's filters of the raw text: an answer that speaks of coordinates or bounding boxes (which
 * nobody sees who looks at the image), or that says skip.
 */
export function filterRawAnswer(text: string): Rejection | undefined {
  return (
    found('coordinates', /.{0,30}(?:coordinate|bounding box).{0,30}/, text) ??
    found('skip', /.{0,30}[sS]kip.{0,30}/, text)
  );
}

/**
 * The reference system's filters of the parts: a box that takes the place of words ("located at [0.1, ..."), in
 * the text before boxes are removed, and an explanation that speaks of a description instead of the image.
 */
export function filterParts(parts: {
  question: string;
  choices: readonly string[];
  explanation: string;
}): Rejection | undefined {
  const texts = [parts.question, ...parts.choices, parts.explanation];
  return (
    texts.map((text) => found('located_at_box', /located at\s*\[.{0,30}/, text)).find(Boolean) ??
    found('description', /.{0,30}description.{0,30}/i, parts.explanation)
  );
}

function found(reason: RejectionReason, pattern: RegExp, text: string): Rejection | undefined {
  const match = pattern.exec(text);
  return match ? { reason, detail: match[0].trim() } : undefined;
}
