import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { OpenAI } from 'openai';
import type { AnnotatedPicture } from '../../datasets/coco.ts';
import { readPromptTemplate } from '../../generation/prompt-template.ts';
import { readQuestionTypes } from '../../generation/question-types.ts';
import { createTeacherAsker, type TeacherAsker } from '../../generation/request-asker.ts';
import { poolPictures } from '../dataset-paths.ts';
import { withPool } from '../pool.ts';
import { promptFile } from '../prompt-file.ts';
import type { StepContext } from '../step-context.ts';
import { withTeacherClient } from '../teacher.ts';

/** Gives the work a teacher that answers the requests of a config. */
export async function withTeacherAsker<R>(
  { config, run, round }: Pick<StepContext, 'config' | 'run' | 'round'>,
  work: (asker: TeacherAsker, client: OpenAI) => Promise<R>,
): Promise<R> {
  const { teacher, data } = config;
  const types = await readQuestionTypes(data.questionTypes);
  const template = await readPromptTemplate(await promptFile(config, run, round));
  return withPool(config, (coco) => {
    const annotations = coco.read.bind(coco);
    const picture = teacher.attachPicture ? pictureReader(poolPictures(config), annotations) : undefined;
    const { storeAnswers } = teacher;
    return withTeacherClient(config, (client, settings) =>
      work(createTeacherAsker({ client, settings, storeAnswers, annotations, types, template, picture }), client),
    );
  });
}

function pictureReader(
  folder: string,
  annotations: (imageId: number) => Promise<AnnotatedPicture>,
): (imageId: number) => Promise<string> {
  return async (imageId) => {
    const { fileName } = await annotations(imageId);
    const type = extname(fileName) === '.png' ? 'image/png' : 'image/jpeg';
    return `data:${type};base64,${(await readFile(join(folder, fileName))).toString('base64')}`;
  };
}
