/**
 * The shape of a list of question types, for files, for the teacher's proposals and for messages to workflows: it imports
 * nothing else.
 */
import { z } from 'zod';

export const questionTypeSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_-]*$/, 'must be lower-case words joined by _ or -'),
  title: z.string().min(1),
  explanation: z.string().min(1),
});

export const questionTypesSchema = z
  .array(questionTypeSchema)
  .min(1)
  .superRefine((types, context) => {
    const seen = new Set<string>();
    for (const [index, { name }] of types.entries()) {
      if (seen.has(name))
        context.addIssue({ code: 'custom', path: [index, 'name'], message: `${name} is there twice` });
      seen.add(name);
    }
  });

/** A kind of question: its name in the data, and its title and explanation as the teacher reads them. */
export type QuestionType = z.output<typeof questionTypeSchema>;

/** The type of questions that fit none of the others, in lists of discovered types. */
export const otherType: QuestionType = {
  name: 'other',
  title: 'other',
  explanation: 'Any question that fits none of the other types.',
};
