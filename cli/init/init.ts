/** `dataengine init`: looks at a folder, writes a config, checks the data, and says what comes next. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { demoExtensions } from '../../demo/extensions.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { fileExists, projectFile } from '../../src/core/files.ts';
import { InputError } from '../../src/core/input-error.ts';
import { isBelow } from '../../src/core/inside.ts';
import { printable } from '../../src/core/printable.ts';
import { readJson } from '../../src/core/read-json.ts';
import { writeFileAtomically } from '../../src/core/write-file.ts';
import { readQuestionRows } from '../../src/datasets/own-questions.ts';
import { type SideName, splitManifest, splitSchema } from '../../src/datasets/split/split-manifest.ts';
import { splitQuestions } from '../../src/datasets/split/split-questions.ts';
import { hashTable } from '../../src/datasets/tables/shards.ts';
import { readQuestionTypes } from '../../src/generation/question-types.ts';
import { isOfBuiltInFamily } from '../../src/model/files/model-config.ts';
import { knownProviders } from '../../src/teacher/providers/index.ts';
import { missingOption, ownConfig, wrongOption } from '../options.ts';
import { tell } from '../say.ts';
import { openDialog } from '../terminal-dialog.ts';
import { textTable } from '../text-table.ts';
import {
  folderOfImages,
  imageFolder,
  listFolder,
  pathFrom,
  type QuestionFacts,
  questionFacts,
} from './look-at-folder.ts';
import { chooseQuestions, fileIn, lookAtTable, type TableKind } from './questions-of-folder.ts';
import { type ConfigParts, configText } from './write-config.ts';

export interface InitOptions {
  images?: string;
  questions?: string;
  model?: string;
  teacher?: string;
  teacherModel?: string;
  /** Where question types come from: `discover`, `column`, or a file of them. */
  types?: string;
  skipInvalid: boolean;
  output: string;
  replace: boolean;
}

/** Asks a person; undefined where there is no terminal. */
export type Ask = ((question: string, proposed: string | undefined) => Promise<string>) | undefined;

const splitFolder = 'dataengine-split';
const stage1 = 'data/stage1';

/**
 * @throws InputError for what is missing and can't be asked for, naming the option; for a config that is there; for questions
 *   that do not fit, naming file, row and column
 */
export async function initialize(folder: string, options: InitOptions, ask: Ask, signal: AbortSignal): Promise<void> {
  const { output } = options;
  if (!options.replace && (await fileExists(output))) {
    throw new InputError({ file: output, problem: 'is there already', remedy: 'Give --replace, or another --output' });
  }
  const content = await listFolder(folder);
  const given = async (option: keyof InitOptions, question: string, proposed?: string): Promise<string> => {
    const value = options[option];
    if (typeof value === 'string' && value.trim() !== '') return value;
    if (ask !== undefined && value === undefined) return ask(question, proposed);
    throw missingOption(`--${option}`, 'since there is no terminal to ask at');
  };

  const tables = await Promise.all(
    content.tables.map(async (path) => ({ path, look: await lookAtTable(join(folder, path)) })),
  );
  const { file, kind, sides } = await chooseQuestions(folder, tables, {
    named: options.questions,
    ask: ask && (() => ask('File of questions', undefined)),
  });
  const facts = kind === 'aokvqa' ? await aokvqaFacts(file) : await questionFacts(file, options.skipInvalid);
  const images = await imagesOf(folder, content.images, { file, kind, facts, named: options.images });
  // A data root has images in a folder of its own.
  const isRoot = relative(folder, images) === '' || !isBelow(images, [folder]);
  const root = resolve(isRoot ? dirname(resolve(images)) : folder);

  const model = await given('model', 'Model (a Hugging Face directory)', await proposedModel());
  if (!(await fileExists(model))) {
    throw wrongOption('--model', `there is no folder ${model}`, 'Name a Hugging Face directory, such as data/stage1');
  }
  const isBuiltIn = await isOfBuiltInFamily(model);
  const teacher = teacherOf(await given('teacher', 'Teacher (openai, azure, local, or an address)', 'openai'), options);
  const types = await typesOf(facts, kind === 'aokvqa' && facts.types > 0, options, ask);
  const files = sides
    ? Object.fromEntries(Object.entries(sides).map(([side, path]) => [side, pathFrom(root, join(folder, path))]))
    : await divide(file, { images, root, isReplaced: options.replace, skipInvalid: options.skipInvalid, signal });
  const conversations = tables.flatMap(({ path, look }) =>
    'kind' in look && look.kind === 'conversations' ? pathFrom(root, join(folder, path)) : [],
  );
  const parts: ConfigParts = {
    run: basename(resolve(folder)).replace(/[^\w.-]+/g, '-') || 'own',
    output,
    model,
    isBuiltIn,
    isSmall: (await realPath(model)) === (await realPath(projectFile(stage1))),
    root,
    images: pathFrom(root, images),
    files,
    isAokvqa: kind === 'aokvqa',
    conversations,
    skipInvalid: options.skipInvalid,
    facts,
    types,
    poolImages: content.images.length,
    freeImages: content.images.length - (kind === 'aokvqa' ? 0 : await scoredImages(root, files, options.skipInvalid)),
    teacher,
  };
  await writeFileAtomically(output, configText(parts));
  tell(describe(parts, kind, output));
  await checkOwnData(output, signal);
  const config = output === ownConfig ? '' : ` --config ${shellWord(output)}`;
  tell(`Next: dataengine run --local${config}`);
}

/** A terminal's answers; undefined where there is none. They throw Interrupted when a person leaves. */
export function askAtTerminal(signal: AbortSignal): Ask {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return async (question, proposed) => {
    const dialog = openDialog({ input: process.stdin, output: process.stderr, signal }, 'Nothing was written.');
    try {
      for (;;) {
        const answer = (await dialog.ask(`${question}${proposed === undefined ? '' : ` [${proposed}]`}: `)).trim();
        if (answer !== '' || proposed !== undefined) return answer || (proposed as string);
      }
    } finally {
      dialog.close();
    }
  };
}

/** Where the paths of the questions start: in the folder that is named, else in one where they are found. */
async function imagesOf(
  folder: string,
  paths: readonly string[],
  { file, kind, facts, named }: { file: string; kind: TableKind; facts: QuestionFacts; named: string | undefined },
): Promise<string> {
  const candidates =
    named === undefined ? [join(folder, imageFolder(paths)), folder, dirname(file)] : [await fileIn(folder, named)];
  return kind === 'aokvqa' ? (candidates[0] as string) : folderOfImages(file, facts.samples, candidates);
}

async function aokvqaFacts(file: string): Promise<QuestionFacts> {
  const { readAokvqa } = await import('../../src/datasets/aokvqa.ts');
  const records = await readAokvqa(file);
  return {
    questions: records.length,
    withChoices: records.length,
    fewestChoices: 4,
    mostChoices: 4,
    shortAnswers: 0,
    areNumbers: false,
    types: new Set(records.flatMap(({ question_type }) => question_type ?? [])).size,
    texts: new Set(records.map(({ question }) => question)).size,
    samples: records.slice(0, 3).map(({ question_id, image_id, question, choices, correct_choice_idx }) => ({
      id: question_id,
      image: { path: String(image_id) },
      question,
      choices: [...choices],
      correct: correct_choice_idx as number,
    })),
  };
}

/** Where question types come from; undefined for the list that comes with the program. */
async function typesOf(
  { types }: QuestionFacts,
  areKnown: boolean,
  options: InitOptions,
  ask: Ask,
): Promise<string | undefined> {
  const given = options.types ?? (types > 0 || areKnown ? undefined : await ask?.(typesQuestion, 'discover'));
  if (given === undefined || given === 'discover') return given;
  const wrong = (problem: string, remedy: string) => wrongOption('--types', problem, remedy);
  if (given === 'column') {
    if (types > 0) return given;
    throw wrong('column: the questions have no column of types', 'Take discover, or a file of types');
  }
  if (!(await fileExists(given))) throw wrong(`there is no file ${given}`, 'Take discover, column, or a file of types');
  await readQuestionTypes(given);
  return given;
}

const typesQuestion = 'Question types (discover: the teacher finds them; or a YAML file)';

async function proposedModel(): Promise<string | undefined> {
  return (await fileExists(projectFile(stage1))) ? relative(process.cwd(), projectFile(stage1)) : undefined;
}

function teacherOf(name: string, { teacherModel: model }: InitOptions): ConfigParts['teacher'] {
  if (/^https?:\/\//.test(name)) {
    if (!URL.canParse(name)) throw wrongOption('--teacher', `'${name}' is not a URL`, 'Give it as http://host:port/v1');
    if (model === undefined) throw missingOption('--teacher-model', 'the name by which the server knows the model');
    return { provider: 'openai', baseUrl: name, model };
  }
  const providers = knownProviders(demoExtensions.teacherProviders);
  if (!providers.includes(name)) {
    throw wrongOption('--teacher', `there is no teacher ${name}`, `Known are ${providers.join(', ')} and addresses`);
  }
  return { provider: name, model: model ?? (name === 'openai' ? 'gpt-4o' : undefined) };
}

async function divide(
  file: string,
  {
    images,
    root,
    isReplaced,
    ...options
  }: { images: string; root: string; isReplaced: boolean; skipInvalid: boolean; signal: AbortSignal },
): Promise<Partial<Record<SideName, string>>> {
  const output = join(root, splitFolder);
  const manifest = join(output, splitManifest);
  const earlier = !isReplaced && (await fileExists(manifest)) ? await readJson(manifest, splitSchema) : undefined;
  if (earlier !== undefined && earlier.source.sha256 !== (await hashTable(file))) {
    const problem = 'is a division of other questions, or of an earlier state of these';
    throw new InputError({ file: output, problem, remedy: 'Give --replace to divide them anew, or move it away' });
  }
  const { sides } =
    earlier ??
    (await splitQuestions({
      file,
      images,
      output,
      validation: 0.25,
      test: 0.15,
      seed: 1,
      replace: isReplaced,
      ...options,
    }));
  return Object.fromEntries(
    Object.entries(sides).map(([side, { file: name }]) => [side, pathFrom(root, join(output, name))]),
  );
}

function describe(parts: ConfigParts, kind: TableKind, output: string): string {
  const { facts, files, root } = parts;
  const answers = [
    ...(facts.withChoices === 0
      ? []
      : [
          `${facts.withChoices} with ${facts.fewestChoices === facts.mostChoices ? '' : `${facts.fewestChoices} to `}${facts.mostChoices} choices`,
        ]),
    ...(facts.shortAnswers === 0
      ? []
      : [`${facts.shortAnswers} with ${facts.areNumbers ? 'numbers' : 'short answers'}`]),
  ];
  const rows = [
    ['images', `${parts.poolImages} below ${join(root, parts.images)}`],
    ['questions', `${facts.questions} (${kind}): ${answers.join(', ')}`],
    ['question types', describeTypes(parts)],
    ...Object.entries(files).map(([side, file]) => [side, file as string]),
    ...parts.conversations.map((file) => ['conversations', file]),
    ['model', parts.model],
    ['teacher', parts.teacher.baseUrl ?? parts.teacher.provider],
  ];
  const samples = facts.samples.map(({ image, question, choices, correct, answers: right }) => [
    'path' in image ? image.path : '(in the file)',
    question,
    choices === undefined ? '' : choices.join(' / '),
    choices === undefined ? (right ?? []).join(' / ') : (choices[correct as number] as string),
  ]);
  const sampleTable = textTable(['image', 'question', 'choices', 'answer'], samples);
  return printable(`${textTable(['found', ''], rows)}\n${sampleTable}\nWrote ${output}`);
}

function describeTypes({ facts, types }: ConfigParts): string {
  if (types === 'discover') return 'the teacher discovers them after round 0';
  const found = facts.types === 0 ? 'no column: the teacher classifies them' : `${facts.types} in a column`;
  return types === undefined || types === 'column' ? found : `${found}, as ${types} explains`;
}

async function checkOwnData(output: string, signal: AbortSignal): Promise<void> {
  const config = await loadConfig(output);
  const { checkData, leftOutLine, problemRows } = await import('../../src/round/check-data.ts');
  // Whoever writes a config may not have the key yet.
  const found = await checkData(config, {
    signal,
    onProgress: () => undefined,
    extensions: demoExtensions,
    places: ['config', 'files'],
  });
  const { problems, questions, images, leftOut, notes, unchecked } = found;
  for (const records of leftOut) tell(leftOutLine(records));
  if (problems.length === 0) {
    tell(`The data is complete: ${questions} questions to score, ${images} images.`);
    for (const note of notes) tell(note);
    if (unchecked.length > 0) tell(`A run checks when it starts: ${unchecked.join('; ')}.`);
    return;
  }
  const rows = problemRows(problems, config.data.root, 10);
  tell(textTable(['item', 'problem', 'what to do'], rows));
  throw new InputError({
    file: output,
    problem: `its data has ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`,
    remedy: `Correct them, then: dataengine data check ${shellWord(output)}`,
  });
}

/** Through links; the path itself where nothing is there. */
function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

/** How many images the validation and test questions are about: samples are never drawn of these. */
async function scoredImages(
  root: string,
  { validation, test }: ConfigParts['files'],
  skipInvalid: boolean,
): Promise<number> {
  const images = new Set<string>();
  for (const file of [validation, test].flatMap((path) => path ?? [])) {
    for await (const { image } of readQuestionRows({ file: join(root, file), skipInvalid })) {
      if ('path' in image) images.add(image.path.normalize());
    }
  }
  return images.size;
}

/** A path as a shell takes it. */
function shellWord(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
