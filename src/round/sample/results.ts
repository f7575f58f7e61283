import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import { readWeights, type Weights } from '../../evaluation/bad-cases.ts';
import { type GenerationRequest, readRequests } from '../../generation/sample-requests.ts';
import type { StepOutcome } from '../step-context.ts';

export interface SampleOutcome extends StepOutcome {
  requests: number;
  /** How many the config asks for, where fewer were drawn: the images ran out. */
  wanted?: number;
}

export const requestsFile = 'requests.jsonl';
/** Question type → requests drawn. */
export const requestsByTypeFile = 'requests_by_type.json';
/** The weights that question types were drawn by, whatever the strategy. */
export const usedWeightsFile = 'sampling_weights.json';

/** Reads the requests from the step's folder. */
export function readSampledRequests(directory: string): Promise<GenerationRequest[]> {
  return readRequests(join(directory, requestsFile));
}

/** Reads how many requests of each question type were drawn. */
export function readRequestsByType(directory: string): Promise<Record<string, number>> {
  return readJson(join(directory, requestsByTypeFile), z.record(z.string(), z.number()));
}

/** Reads the weights that question types were drawn by. */
export function readUsedWeights(directory: string): Promise<Weights> {
  return readWeights(join(directory, usedWeightsFile));
}
