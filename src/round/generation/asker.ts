import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { inputErrorOfFile } from '../../core/read-json.ts';
import { sampleFormat } from '../../generation/parse-answer.ts';
import { buildMessages, imageOf } from '../../generation/prompt.ts';
import { readQuestionTypes } from '../../generation/question-types.ts';
import type { GenerationRequest } from '../../generation/sample-requests.ts';
import { readPromptTemplate } from '../../teacher/prompt-template.ts';
import { createTeacherAsker, type TeacherAsker } from '../../teacher/request-asker.ts';
import { poolImages } from '../dataset-paths.ts';
import { withPool } from '../pool.ts';
import { promptFile } from '../prompt-file.ts';
import type { StepContext } from '../step-context.ts';
import { withTeacherClient } from '../teacher.ts';

/** Gives the work a teacher that answers these requests of a config. */
export async function withTeacherAsker<R>(
  { config, run, round }: Pick<StepContext, 'config' | 'run' | 'round'>,
  requests: readonly GenerationRequest[],
  work: (asker: TeacherAsker<GenerationRequest>) => Promise<R>,
): Promise<R> {
  const { teacher, data } = config;
  const types = await readQuestionTypes(data.questionTypes);
  const template = await readPromptTemplate(await promptFile(config, run, round));
  const images = await withPool(config, (coco) => coco.read(requests.map(({ image_id }) => image_id)));
  return withTeacherClient(config, (client, settings) =>
    work(
      createTeacherAsker({
        client,
        storeAnswers: teacher.storeAnswers,
        settings: () => ({ ...settings, format: teacher.answerFormat === 'structured' ? sampleFormat : undefined }),
        examples: (request) => request.examples.length,
        messages: (request, dropped) => {
          const examples = request.examples.slice(0, request.examples.length - dropped);
          const image = imageOf(images, request);
          return buildMessages({ request: { ...request, examples }, image, types, template });
        },
        image: teacher.attachImage ? (request) => imageUrl(config, imageOf(images, request).fileName) : undefined,
      }),
    ),
  );
}

/** An image of the pool as a data URL. @throws InputError when it is not there */
export async function imageUrl(config: Config, fileName: string): Promise<string> {
  const file = join(poolImages(config), fileName);
  const type = extname(file) === '.png' ? 'image/png' : 'image/jpeg';
  const content = await readFile(file).catch((error: unknown) => Promise.reject(inputErrorOfFile(file, error)));
  return `data:${type};base64,${content.toString('base64')}`;
}
