import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { miniGpt4PromptForm } from '../../src/model/families/minigpt4/prompt.ts';
import { blipProcessorConfig } from '../../src/model/images/processor-config.ts';
import { trainTokenizer, writeTokenizer } from '../../src/model/text/train-tokenizer.ts';
import type { PretrainingDomain } from './domain.ts';
import { STAGE1_MODEL, type Stage1Settings } from './stage1-settings.ts';

const CORPUS_SCENES = 4000;

/** Trains the tokenizer on texts of the domain and writes it, with the preprocessor's settings, into `directory`. */
export async function writeStage1Tokenizer<Scene>(
  domain: PretrainingDomain<Scene>,
  directory: string,
  settings: Stage1Settings,
): Promise<void> {
  const { endMark } = miniGpt4PromptForm;
  const texts: string[] = [];
  for (let index = 0; index < CORPUS_SCENES; index++) {
    const random = seededRandom(settings.seed).fork('tokenizer').fork(index);
    const scene = domain.draw(random);
    const kind = random.pick(Object.keys(domain.textKinds));
    for (const text of [domain.text(kind, scene, random), domain.question(scene, random)]) {
      if (text !== undefined) texts.push(text.prompt + text.answer + endMark);
    }
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
