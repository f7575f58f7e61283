/** The fields of files as Markdown, from the schemas that read them; `npm run schema` writes them into the pages. */
import { z } from 'zod';
import { type Row, schemaRows } from '../config/describe-schema.ts';
import { aokvqaQuestionSchema } from '../datasets/aokvqa.ts';
import { boxSchema, captionSchema, categorySchema, imageSchema } from '../datasets/build-coco-index.ts';
import { alignSchema } from '../datasets/cc-sbu-align.ts';
import { factsSchema } from '../datasets/descriptions/facts.ts';
import { engineSampleSchema } from '../datasets/engine-data.ts';
import { trainingQuestionSchema } from '../datasets/question-records.ts';
import { badCaseSchema, evaluatedQuestionSchema } from '../evaluation/bad-cases.ts';
import { rawAnswer } from '../teacher/call-log.ts';
import { withSection } from './describe-steps.ts';

interface Format {
  /** Which file, and what a record of it is. */
  title: string;
  schema: z.ZodType;
}

const formats: Readonly<Record<string, Format>> = {
  question: { title: 'A-OKVQA, a question to score', schema: aokvqaQuestionSchema },
  'training-question': { title: 'A-OKVQA or `gptvqa`, a question to train on', schema: trainingQuestionSchema },
  'filter-cap': { title: '`filter_cap.json`', schema: alignSchema },
  'coco-instances': {
    title: 'COCO instances',
    schema: z.object({
      images: z.array(imageSchema),
      annotations: z.array(boxSchema),
      categories: z.array(categorySchema),
    }),
  },
  'coco-captions': {
    title: 'COCO captions',
    schema: z.object({ images: z.array(imageSchema), annotations: z.array(captionSchema) }),
  },
  facts: { title: '`data.descriptions.file`, a line of facts', schema: factsSchema },
  'engine-sample': { title: '`DataEngine_round<k>_data.json`', schema: engineSampleSchema },
  'raw-answer': { title: '`gptvqa_result.jsonl`', schema: rawAnswer },
  'evaluated-question': { title: '`aokvqa_eval.json`', schema: evaluatedQuestionSchema },
  'bad-case': { title: '`bad_case_aokvqa_classified.json`', schema: badCaseSchema },
};

/** The formats of files that a person provides. */
const inputFormats = ['question', 'training-question', 'filter-cap', 'coco-instances', 'coco-captions', 'facts'];

/**
 * The page with the fields of each format between its marks, such as `<!-- fields-question:begin -->`, and those that are
 * required and optional of all input formats between the marks `input-fields`.
 */
export function withFieldTables(page: string): string {
  const tables = Object.entries(formats).map(([name, format]) => [`fields-${name}`, fieldTable(format)] as const);
  return [...tables, ['input-fields', inputTable()] as const].reduce(
    (text, [name, table]) => withSection(text, name, table),
    page,
  );
}

function rowsOf({ schema }: Format): Row[] {
  // An object is a group, and a list of objects has a row for each of their keys.
  return schemaRows(z.toJSONSchema(schema, { io: 'input' })).filter(({ type }) => !/^(?:list of )?group$/.test(type));
}

function fieldTable(format: Format): string {
  const lines = rowsOf(format).map(({ key, type, required, standard, meaning }) => {
    const need = required ? 'yes' : standard === '' ? 'no' : `no: ${standard}`;
    return `| \`${key}\` | ${type} | ${need} | ${meaning} |`;
  });
  return ['| field | type | required | |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

function inputTable(): string {
  const list = (rows: readonly Row[]) => rows.map(({ key }) => `\`${key}\``).join(', ');
  const lines = inputFormats.map((name) => {
    const format = formats[name] as Format;
    const rows = rowsOf(format);
    return `| ${format.title} | ${list(rows.filter(({ required }) => required))} | ${list(rows.filter(({ required }) => !required))} |`;
  });
  return ['| file | required | optional |', '| --- | --- | --- |', ...lines].join('\n');
}
