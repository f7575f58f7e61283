/** A folder such as a newcomer has: images under names of their own, no annotations, and one file of mixed questions. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileExists, fillFolder } from '../../src/core/files.ts';
import { InputError } from '../../src/core/input-error.ts';
import { type SeededRandom, seededRandom } from '../../src/core/seeded-random.ts';
import { writeFileAtomically } from '../../src/core/write-file.ts';
import { drawImages, type SceneImage, writeImages } from './images.ts';
import { askQuestion, QUESTION_TYPES } from './questions.ts';

export interface OwnFolderOptions {
  folder: string;
  images: number;
  seed: number;
  signal?: AbortSignal | undefined;
}

/** About one question in three has a short answer instead of choices. */
const everyShort = 3;
const questionsPerImage = 4;
const rooms = ['hall', 'yard', 'gate 2'] as const;

/**
 * Renders scenes into folders below `photos/`, and writes `questions.jsonl`: about a third of the questions with short answers,
 * the others with four choices, none with its type.
 *
 * @throws InputError for a folder that is there
 */
export async function writeOwnFolder({ folder, images: count, seed, signal }: OwnFolderOptions): Promise<number> {
  if (await fileExists(folder)) {
    throw new InputError({
      file: folder,
      problem: 'is there already',
      remedy: 'Name a folder that does not exist yet',
    });
  }
  const random = seededRandom(seed).fork('own folder');
  const nameOf = (id: number) => `${rooms[id % rooms.length]}/shot-${String.fromCharCode(97 + (id % 26))}${id}.jpg`;
  const images = drawImages(random.fork('images'), count, 1, nameOf);
  const questions = images.flatMap((image) => questionsAbout(image, random.fork('questions').fork(image.id)));
  await fillFolder(folder, async (unfinished) => {
    for (const room of rooms) await mkdir(join(unfinished, 'photos', room), { recursive: true });
    await writeImages(join(unfinished, 'photos'), images, { seen: new Set(), ...(signal && { signal }) });
    const lines = questions.map((question) => `${JSON.stringify(question)}\n`);
    await writeFileAtomically(join(unfinished, 'questions.jsonl'), lines.join(''));
  });
  return questions.length;
}

function questionsAbout({ fileName, scene }: SceneImage, random: SeededRandom) {
  const asked = random
    .shuffle(QUESTION_TYPES)
    .flatMap((type) => askQuestion(type, scene, random.fork(type)) ?? [])
    .slice(0, questionsPerImage);
  return asked.map(({ question, choices, correctChoiceIndex, directAnswers }, index) => {
    const id = `${fileName} ${index + 1}`;
    const isShort = random.integer(everyShort) === 0;
    const answer = choices[correctChoiceIndex] as string;
    return isShort
      ? { id, image: fileName, question, answers: [...new Set([answer, ...directAnswers])] }
      : { id, image: fileName, question, choices, answer };
  });
}
