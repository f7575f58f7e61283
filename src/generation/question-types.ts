import { parseDocument } from 'yaml';
import { z } from 'zod';
import { describeFirstIssue } from '../core/field-path.ts';
import { InputError } from '../core/input-error.ts';
import { plainYamlValue } from '../core/plain-yaml.ts';
import { readTextFile } from '../core/read-json.ts';

const questionType = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_-]*$/, 'must be lower-case words joined by _ or -'),
  title: z.string().min(1),
  explanation: z.string().min(1),
});

const questionTypes = z
  .array(questionType)
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
export type QuestionType = z.output<typeof questionType>;

/**
 * Reads the list of question types from YAML.
 *
 * @throws InputError with the line of broken YAML, or the field that does not fit.
 */
export async function readQuestionTypes(file: string): Promise<QuestionType[]> {
  const document = parseDocument(await readTextFile(file), { prettyErrors: true });
  const [broken] = document.errors;
  if (broken) {
    const place = broken.linePos?.[0];
    const problem = (broken.message.split('\n')[0] ?? '').replace(/ at line \d+.*$/, '');
    throw new InputError({ file, line: place?.line, column: place?.col, problem, remedy: 'Mend the YAML here' });
  }
  const result = questionTypes.safeParse(plainYamlValue(document, file));
  if (result.success) return result.data;
  const { field, problem } = describeFirstIssue(result.error);
  throw new InputError({
    file,
    field,
    problem,
    remedy: 'Each question type has a name, a title and an explanation',
  });
}

/**
 * The question type of that name.
 *
 * @throws Error that names the types there are.
 */
export function findQuestionType(types: readonly QuestionType[], name: string): QuestionType {
  const found = types.find((type) => type.name === name);
  if (found) return found;
  throw new Error(`There is no question type ${name}; known are ${types.map((type) => type.name).join(', ')}`);
}
