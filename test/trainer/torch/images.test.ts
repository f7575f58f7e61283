/** Both trainers are shown the same pixels, whatever kind of image they open. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { readJson, readJsonLines } from '../../../src/core/read-json.ts';
import { pythonOfSetup } from '../../../src/core/setup-file.ts';
import { type EvaluationQuestion, evaluationAnswerSchema } from '../../../src/trainer/job-files.ts';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
import { writeAsked, writeTinyModel } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const scripts = fileURLToPath(new URL('../../../src/trainer/torch/', import.meta.url));

/** Prints what `test/fixtures/opened-images.json` has of these images. */
const openAll = `
import hashlib, json, sys
from images import open_with, read_image
from protocol import JobError
found = {}
for file in sys.argv[1:]:
    try:
        of = {}
        for how in ("apply", "ignore"):
            open_with(how)
            image = read_image(file)
            of[how] = {"size": image.size, "sha256": hashlib.sha256(image.tobytes()).hexdigest()}
    except JobError:
        of = "refused"
    found[file.rsplit("/", 1)[1]] = of
print(json.dumps(found))
`;

async function filesIn(...folders: string[]): Promise<string[]> {
  const names = await Promise.all(
    folders.map(async (folder) => (await readdir(path.join(fixtures, folder))).map((name) => path.join(folder, name))),
  );
  return names.flat().map((name) => path.join(fixtures, name));
}

async function openedByPillow(files: string[]): Promise<unknown> {
  const options = { env: { ...process.env, PYTHONPATH: scripts }, maxBuffer: 1 << 24 };
  const { stdout } = await promisify(execFile)(await pythonOfSetup('torch'), ['-c', openAll, ...files], options);
  return JSON.parse(stdout);
}

test('no other part of the trainer opens images', async () => {
  const names = (await readdir(scripts)).filter((name) => name.endsWith('.py'));
  const opening = [];
  for (const name of names)
    if ((await readFile(path.join(scripts, name), 'utf8')).includes('Image.open(')) opening.push(name);
  expect(opening).toEqual(['images.py']);
});

describe.skipIf(!torchIsSetUp)('images under torchrun', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'torch-images-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('Pillow opens every kind as it is expected of sharp too', async () => {
    const files = await filesIn('ugly-images', 'images-of-two-trainers');
    expect(await openedByPillow(files)).toEqual(await readJson(path.join(fixtures, 'opened-images.json'), z.unknown()));
  });

  test('pipes, devices and absurd sizes are refused at once', async () => {
    const pipe = path.join(folder, 'pipe.jpg');
    await promisify(execFile)('mkfifo', [pipe]);
    const huge = path.join(folder, 'huge.png');
    const content = await readFile(path.join(fixtures, 'ugly-images', 'gray.png'));
    content.writeUInt32BE(60_000, 16);
    content.writeUInt32BE(60_000, 20);
    await writeFile(huge, content);
    const refused = { 'pipe.jpg': 'refused', zero: 'refused', 'huge.png': 'refused' };
    expect(await openedByPillow([pipe, '/dev/zero', huge])).toEqual(refused);
  });

  test.each(['minigpt4', 'llava'] as const)(
    'bugs/09-images-two-trainers, parity/torchrun-images-differ: %s has the same losses',
    async (family) => {
      const model = path.join(folder, family);
      await writeTinyModel(model, { family });
      const asked = (await filesIn('images-of-two-trainers')).map(
        (image): EvaluationQuestion => ({
          question_id: path.basename(image),
          image,
          question: 'What color is the box?',
          answerStart: 'The answer is',
          answers: ['The answer is red', 'The answer is blue'],
        }),
      );
      const questions = path.join(folder, 'asked.jsonl');
      await writeAsked(questions, asked);
      const losses: Record<string, number[]> = {};
      for (const exif of ['apply', 'ignore'] as const) {
        const job = { model, questions, batchSize: 4, exif };
        const [byUs, byThem] = [path.join(folder, `${exif}-ours`), path.join(folder, `${exif}-theirs`)];
        await evaluate({ ...job, output: byUs }, recordingReporter());
        await runTorch({ kind: 'evaluate', ...job, output: byThem }, path.join(folder, 'job'), { processes: 1 });
        const [ours, theirs] = await Promise.all(
          [byUs, byThem].map(async (file) =>
            (await readJsonLines(file, evaluationAnswerSchema)).flatMap((answer) => answer.losses),
          ),
        );
        expect(maximumDifference(theirs ?? [], ours ?? [])).toBeLessThan(1e-5);
        losses[exif] = ours ?? [];
      }
      // The models look at what they are shown.
      expect(maximumDifference(losses.apply ?? [], losses.ignore ?? [])).toBeGreaterThan(1e-4);
    },
  );
});
