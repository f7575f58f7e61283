/** Large results of the steps that need a trainer or a teacher, for the steps that compute with them. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runStepOnce } from '../../src/core/manifest.ts';
import { writeJson, writeJsonLines } from '../../src/core/write-file.ts';
import { badCasePrompt, type EvaluatedQuestion } from '../../src/evaluation/bad-cases.ts';
import type { GenerationRequest } from '../../src/generation/sample-requests.ts';
import { writeSafetensors } from '../../src/model/files/safetensors.ts';
import { embeddingsFile, imageIdsFile } from '../../src/round/embed/results.ts';
import { answersFile } from '../../src/round/evaluate/results.ts';
import { rawAnswersFile } from '../../src/round/generate/results.ts';
import { requestsByTypeFile, requestsFile, usedWeightsFile } from '../../src/round/sample/results.ts';
import { directoryOf } from '../../src/round/step-directory.ts';
import type { StepName } from '../../src/round/steps.ts';
import type { RawAnswer } from '../../src/teacher/call-log.ts';

const questionTypes = ['attribute_recognition', 'image_scene'] as const;
const choices = ['red', 'green', 'blue', 'yellow'];

/** Round 0's answers to so many validation questions, half of them wrong. */
export function writeEvaluation(root: string, count: number): Promise<void> {
  const answers = Array.from({ length: count }, (_, index): EvaluatedQuestion => {
    const asked = {
      question: `What color is the image with the number ${index}?`,
      choices,
      correct_choice_idx: index % 4,
      question_type: questionTypes[index % 2] as string,
    };
    return {
      ...asked,
      idx: `val-${index}`,
      question_id: `val-${index}`,
      direct_answers: Array.from({ length: 10 }, () => choices[index % 4] as string),
      difficult_direct_answer: false,
      model_choice_idx: index % 8 < 4 ? index % 4 : (index + 1) % 4,
      model_answer: choices[(index + 1) % 4] as string,
      prompt: badCasePrompt(asked),
      image_id: 1001 + (index % 8),
      image_path: `val2017/${String(1001 + (index % 8)).padStart(12, '0')}.jpg`,
      losses: [1, 2, 3, 4],
    };
  });
  return finish(root, 0, 'evaluate', (folder) => ({ [answersFile]: writeJson(join(folder, answersFile), answers) }));
}

/** Embeddings of a pool of so many images and of the validation questions' images. */
export function writeEmbeddings(root: string, { images, width }: { images: number; width: number }): Promise<void> {
  const pool = Array.from({ length: images }, (_, index) => index + 1);
  const validation = Array.from({ length: 8 }, (_, index) => images + 1001 + index);
  const ids = {
    pool: pool.map((id) => (id > 1000 ? id + 10_000 : id)),
    validation: validation.map((_, at) => 1001 + at),
  };
  const shape = [images + validation.length, width];
  const data = new Float32Array((images + validation.length) * width).map(
    (_, at) => Math.sin(at) / Math.sqrt(width / 2),
  );
  return finish(root, 0, 'embed', (folder) => ({
    [imageIdsFile]: writeJson(join(folder, imageIdsFile), ids),
    [embeddingsFile]: writeSafetensors(join(folder, embeddingsFile), [{ name: 'embeddings', shape, data }]),
  }));
}

/** Round 1's requests, so many, with in-context examples. */
export function writeRequests(root: string, count: number): Promise<void> {
  const requests = Array.from({ length: count }, (_, index) => requestOf(index));
  return finish(root, 1, 'sample', (folder) => ({
    [requestsFile]: writeJsonLines(join(folder, requestsFile), requests),
    [requestsByTypeFile]: writeJson(join(folder, requestsByTypeFile), {}),
    [usedWeightsFile]: writeJson(join(folder, usedWeightsFile), {}),
  }));
}

/** The teacher's answers to them. */
export function writeAnswers(root: string, count: number): Promise<void> {
  const answers = Array.from({ length: count }, (_, index): RawAnswer => {
    const { id, image_id, question_type, prompt_version, seed } = requestOf(index);
    return {
      ...{ request_id: id, image_id, question_type, prompt_version, seed },
      raw_instructions: [
        `Question: Which thing number ${index} of ${(index * 7919) % 99_991} stands beside the ${index % 977} others?`,
        `Choices: (A) a cat (B) a dog of ${index} (C) a car (D) a tree`,
        `Answer: The answer is (B): a dog of ${index}.`,
        `Explanation: It has the number ${index}.`,
      ].join('\n'),
      model: 'local',
      usage: { promptTokens: 900, completionTokens: 100, totalTokens: 1000 },
      finish_reason: 'stop',
    };
  });
  return finish(root, 1, 'generate', (folder) => ({
    [rawAnswersFile]: writeJsonLines(join(folder, rawAnswersFile), answers),
  }));
}

function requestOf(index: number): GenerationRequest {
  return {
    id: `request-${index}`,
    image_id: 1 + (index % 24),
    question_type: questionTypes[index % 2] as string,
    examples: [1, 2, 3].map((number) => ({
      idx: `val-${number}`,
      prompt: 'Question: What color is the image?\n'.repeat(8),
    })),
    source: 'nearest',
    prompt_version: 'v1',
    seed: index,
  };
}

async function finish(
  root: string,
  round: number,
  step: StepName,
  write: (folder: string) => Record<string, Promise<void>>,
): Promise<void> {
  const directory = directoryOf({ root }, round, step) as string;
  await mkdir(directory, { recursive: true });
  await runStepOnce({
    directory,
    step,
    inputs: {},
    work: async () => {
      const outputs = write(directory);
      await Promise.all(Object.values(outputs));
      return { outputs: Object.keys(outputs), metrics: {} };
    },
  });
}
