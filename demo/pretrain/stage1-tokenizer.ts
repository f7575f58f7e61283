import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { answerQma, listedQuestion } from '../../src/datasets/question-text.ts';
import { miniGpt4PromptForm } from '../../src/model/families/minigpt4/prompt.ts';
import { questionTurn } from '../../src/model/families/prompt-form.ts';
import { blipProcessorConfig } from '../../src/model/images/processor-config.ts';
import { trainTokenizer, writeTokenizer } from '../../src/model/text/train-tokenizer.ts';
import { askQuestion, QUESTION_TYPES } from '../scenes/questions.ts';
import { randomScene } from '../scenes/scene.ts';
import { STAGE1_MODEL, type Stage1Settings } from './stage1-settings.ts';
import { stage1Text, TEXT_KINDS, type TextKind } from './stage1-texts.ts';

const CORPUS_SCENES = 4000;

/** Trains the tokenizer on texts of the domain and writes it, with the preprocessor's settings, into `directory`. */
export async function writeStage1Tokenizer(directory: string, settings: Stage1Settings): Promise<void> {
  const { endMark } = miniGpt4PromptForm;
  const texts: string[] = [];
  for (let index = 0; index < CORPUS_SCENES; index++) {
    const random = seededRandom(settings.seed).fork('tokenizer').fork(index);
    const scene = randomScene(random);
    const kind = random.pick(Object.keys(TEXT_KINDS) as TextKind[]);
    const { prompt, answer } = stage1Text(kind, scene, random);
    texts.push(prompt + answer + endMark);
    const question = askQuestion(random.pick(QUESTION_TYPES), scene, random);
    if (!question) continue;
    const { choices, correctChoiceIndex } = question;
    const asked = listedQuestion(question.question, choices);
    const turn = questionTurn(miniGpt4PromptForm, asked, { withImage: true });
    texts.push(turn + answerQma(choices, correctChoiceIndex) + endMark);
  }
  await mkdir(directory, { recursive: true });
  await writeTokenizer(
    directory,
    trainTokenizer(texts, settings.vocabularySize),
    STAGE1_MODEL.text_config.max_position_embeddings,
  );
  const half = [0.5, 0.5, 0.5];
  const { image_processor_type, ...rest } = blipProcessorConfig(STAGE1_MODEL.vision_config.image_size, half, half);
  await writeJson(path.join(directory, 'preprocessor_config.json'), {
    image_processor_type,
    processor_class: 'Blip2Processor',
    ...rest,
  });
}
