/** How many tokens samples have: as they are trained on, without weights and without TensorFlow. */
import path from 'node:path';
import { readJsonLines } from '../../core/read-json.ts';
import { writeJsonLines } from '../../core/write-file.ts';
import { trainingSampleSchema } from '../../datasets/train-dataset.ts';
import { readModelConfig } from '../../model/files/model-config.ts';
import { loadTokenizer } from '../../model/text/tokenizer.ts';
import type { MeasuredSample } from '../job-files.ts';
import type { JobOutcome, MeasureJob, SettingsOf } from '../protocol.ts';
import type { JobReporter } from '../trainer-side.ts';
import { requireConversations, sampleSequence } from './conversation.ts';
import { promptSettings } from './sequence.ts';
import { withinSequence } from './sequence-limit.ts';

const AT_ONCE = 256;

/** @throws InputError for a model whose config or tokenizer can't be used */
export async function measure(
  settings: SettingsOf<MeasureJob>,
  reporter: Pick<JobReporter, 'note' | 'progress' | 'signal'>,
): Promise<JobOutcome> {
  const { model: directory, maximumTokens, maximumSequence, output } = settings;
  const model = { directory, config: await readModelConfig(directory) };
  const prompts = promptSettings(model, await loadTokenizer(directory), reporter.note, settings.family?.promptForm);
  const samples = await readJsonLines(settings.samples, trainingSampleSchema);
  requireConversations(settings.samples, samples, prompts.form, directory);
  const measured: MeasuredSample[] = [];
  for (let start = 0; start < samples.length; start += AT_ONCE) {
    reporter.signal.throwIfAborted();
    const counted = samples.slice(start, start + AT_ONCE).map(async (sample): Promise<MeasuredSample> => {
      const sequence = await sampleSequence(sample, { ...prompts, maximumTokens });
      const { beyondSequence, hasNoRoom } = withinSequence(sequence, maximumSequence, prompts.queries);
      const within = beyondSequence ? 'maximumSequence' : undefined;
      const limit = sequence.cut > 0 ? 'maximumTokens' : within;
      return {
        tokens: sequence.tokenIds.length + sequence.cut,
        ...(limit && { limit }),
        ...(hasNoRoom && { problem: 'its image leaves no room for words' }),
      };
    });
    measured.push(...(await Promise.all(counted)));
    reporter.progress({ phase: 'count tokens', step: measured.length, steps: samples.length });
  }
  await writeJsonLines(output, measured);
  return { outputs: [path.basename(output)], metrics: { samples: samples.length } };
}
