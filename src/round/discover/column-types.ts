/**
 * The list of the question types that the questions' own column names, for a run without a list of yours. It is a file of the run
 * that a person may edit: the teacher reads titles and explanations.
 */
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Config } from '../../config/schema.ts';
import { fileExists } from '../../core/files.ts';
import { InputError } from '../../core/input-error.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { writeFileAtomically } from '../../core/write-file.ts';
import { oneLine } from '../../generation/prompt.ts';
import { type QuestionType, questionTypeSchema } from '../../generation/question-type.ts';
import { readQuestionTypes } from '../../generation/question-types.ts';
import { requireEvaluationSet } from '../evaluation-sets.ts';
import { readLoopSet } from '../loop-questions.ts';

const examples = 3;
const longestExample = 200;

/**
 * Where the list is. It is made of the validation questions unless it is there.
 *
 * @throws InputError for a type that is no name, a type that the list lacks, or a file without any type
 */
export async function columnTypesFile(config: Config, run: RunDirectory): Promise<string> {
  const set = requireEvaluationSet(config, run, 'validation');
  const questions = await readLoopSet(set, run);
  const wordings = new Map<string, Set<string>>();
  for (const { question_type: type, question } of questions) {
    if (type === undefined) continue;
    const known = wordings.get(type) ?? new Set();
    wordings.set(type, known.add(oneLine(question).replaceAll('"', "'").slice(0, longestExample)));
  }
  const refuse = (problem: string, remedy: string) =>
    new InputError({ file: set.file, field: 'question_type', problem, remedy });
  if (wordings.size === 0) throw refuse('no question has a type', 'Set questionTypes.source to file or discover');
  const wrong = [...wordings.keys()].find((name) => !questionTypeSchema.shape.name.safeParse(name).success);
  if (wrong !== undefined) {
    throw refuse(`"${wrong}" is no name of a type`, 'Name types by lower-case words joined by _ or -');
  }
  const file = join(run.root, 'question-types', 'column.yaml');
  if (!(await fileExists(file))) {
    const list = [...wordings].sort(([left], [right]) => (left < right ? -1 : 1)).map(describe);
    await writeFileAtomically(
      file,
      `# Titles and explanations are for the teacher, and may be changed.\n${stringify(list)}`,
    );
    return file;
  }
  const listed = new Set((await readQuestionTypes(file)).map(({ name }) => name));
  const missing = [...wordings.keys()].find((name) => !listed.has(name));
  if (missing === undefined) return file;
  throw new InputError({
    file,
    problem: `lacks the type ${missing}, which questions of ${set.file} have`,
    remedy: 'Add it, or remove the file: it is made anew',
  });
}

function describe([name, wordings]: [string, Set<string>]): QuestionType {
  const some = [...wordings].slice(0, examples).map((wording) => `"${wording}"`);
  return { name, title: name.replaceAll(/[_-]+/g, ' '), explanation: `Questions such as ${some.join(', ')}.` };
}
