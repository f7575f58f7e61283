import { imageOf } from '../../generation/prompt.ts';
import {
  blindPlaceholders,
  choiceFormat,
  languageOnlyPlaceholders,
  type VerificationRequest,
  verificationMessages,
} from '../../generation/verification.ts';
import { readPromptTemplate } from '../../teacher/prompt-template.ts';
import { createTeacherAsker, type TeacherAsker } from '../../teacher/request-asker.ts';
import { imageUrl } from '../generation/asker.ts';
import { withPool } from '../pool.ts';
import type { StepContext } from '../step-context.ts';
import { withTeacherClient } from '../teacher.ts';

/** The prompts that samples are verified with. @throws InputError when one is not such a prompt */
export async function verificationTemplates({ config }: Pick<StepContext, 'config'>) {
  return {
    blind: await readPromptTemplate(config.verify.blindPrompt, blindPlaceholders),
    language_only: await readPromptTemplate(config.verify.languageOnlyPrompt, languageOnlyPlaceholders),
  };
}

/** Gives the work a teacher that answers these questions about samples. */
export async function withVerificationAsker<R>(
  context: Pick<StepContext, 'config'>,
  requests: readonly VerificationRequest[],
  work: (asker: TeacherAsker<VerificationRequest>) => Promise<R>,
): Promise<R> {
  const { config } = context;
  const { teacher, verify } = config;
  const templates = await verificationTemplates(context);
  const blind = requests.filter(({ kind }) => kind === 'blind').map(({ image_id }) => image_id);
  const images = await withPool(config, (coco) => coco.read(blind));
  const format = teacher.answerFormat === 'structured' ? choiceFormat : undefined;
  return withTeacherClient(config, (client, settings) =>
    work(
      createTeacherAsker({
        client,
        storeAnswers: teacher.storeAnswers,
        settings: ({ kind }) => ({
          ...settings,
          temperature: verify.temperature,
          maximumTokens: templates[kind].maximumTokens,
          format,
        }),
        examples: () => 0,
        messages: (request) => verificationMessages(request, images, templates),
        // Who wrote the question saw the image; who answers it without is not to.
        image: teacher.attachImage
          ? (request) => (request.kind === 'blind' ? imageUrl(config, imageOf(images, request).fileName) : undefined)
          : undefined,
      }),
    ),
  );
}
