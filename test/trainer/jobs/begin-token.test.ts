/** Case `bugs/12-begin-token`: the begin token is the tokenizer's, whatever `config.json` says. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { copyWith } from '../../helpers/copy-with.ts';
import { recordingReporter, tinyFinetune } from '../../helpers/jobs.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { type TinyMixture, writeTinyMixture, writeTinyModel } from '../../helpers/tiny-model.ts';

describe.each(['minigpt4', 'llava'] as const)('%s', (family) => {
  let folder: string;
  let [right, wrong]: string[] = [];
  let mixture: TinyMixture;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'begin-token-'));
    [right, wrong] = [path.join(folder, 'right'), path.join(folder, 'wrong')];
    await writeTinyModel(right, { family });
    await copyWith(right, wrong, 'config.json', ({ text_config, ...rest }) => ({
      ...rest,
      text_config: { ...(text_config as object), bos_token_id: 5, eos_token_id: 6, pad_token_id: -1 },
    }));
    mixture = await writeTinyMixture(path.join(folder, 'mixture'), 8);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function answered(model: string): Promise<{ answers: string; notes: string[] }> {
    const output = path.join(await temporaryFolder(), 'answers.jsonl');
    const reporter = recordingReporter();
    await evaluate({ model, questions: mixture.asked, batchSize: 4, output }, reporter);
    return { answers: await readFile(output, 'utf8'), notes: reporter.notes };
  }

  test('an evaluation gives the same losses, and says once what is wrong in the config', async () => {
    const [wanted, found] = [await answered(right as string), await answered(wrong as string)];
    expect(found.answers).toBe(wanted.answers);
    expect(wanted.notes).toEqual([]);
    expect(found.notes).toEqual([
      "config.json: bos_token_id is 5, but the tokenizer's begin token has id 0; eos_token_id is 6, but the " +
        "tokenizer's end token has id 1: the tokenizer's ids are used",
    ]);
  });

  test('a finetune gives the same losses, and says it once', async () => {
    const curve = async (model: string) => {
      const output = await temporaryFolder();
      const reporter = recordingReporter();
      await finetune(tinyFinetune(model, mixture, output, { steps: 4 }), reporter);
      return { losses: await readFile(path.join(output, 'loss.jsonl'), 'utf8'), notes: reporter.notes };
    };
    const [wanted, found] = [await curve(right as string), await curve(wrong as string)];
    expect(found.losses).toBe(wanted.losses);
    expect(found.notes.filter((note) => note.includes('bos_token_id'))).toHaveLength(1);
  });
});
