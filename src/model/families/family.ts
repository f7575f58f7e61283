import type { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import type { llamaSchema } from '../files/llama.ts';
import type { Tape, Variable, Weights } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';
import type { PromptForm, TokenBoundaries } from './prompt-form.ts';

/** What a family's folder exports, and `index.ts` of this folder lists. */
export interface FamilyDefinition {
  /** `model_type` of its models' `config.json`. */
  modelType: string;
  /** As people call it. */
  title: string;
  /** Of `config.json`, defaults filled in; `model_type` must be the literal `modelType`. */
  configSchema: z.ZodObject<{ model_type: z.ZodLiteral<string>; text_config: typeof llamaSchema }>;
  /** @param config what `configSchema` gives */
  familyOf(config: never): Family;
}

/**
 * One kind of multimodal model, for one config: a vision side and a projection of its own in front of LLaMA. Training,
 * merge, evaluation and scoring know only this.
 */
export interface Family {
  /** The model's class in `transformers`. */
  architecture: string;
  /** Name and shape of every tensor, in the order in which they are used, by the names of published files. */
  expectedTensors(): Map<string, number[]>;
  /** The published name of a tensor or module, whichever version of `transformers` or PEFT wrote it. */
  publishedName(name: string): string;
  /** What PEFT calls a module of that published name: its path in the model that `transformers` makes. */
  moduleName(published: string): string;
  /** PEFT's `target_modules` for these layers of the language model, so that no other part is meant. */
  adapterTargets(targetModules: readonly string[]): string[] | string;
  /** Whether the config asks for the head to be the embeddings; families differ in the levels of the config that count. */
  asksForTiedHead: boolean;
  /** How many embeddings stand for an image in a sequence. */
  imageTokens: number;
  /** Side of the square images that it takes, in pixels. */
  imageSize: number;
  /**
   * Output of the vision side before the projection: the mean of an image's rows is one vector that images
   * of like content share.
   *
   * @param pixels float32 `[batch, 3, size, size]`
   * @returns `[batch * imageTokens, width]`
   */
  visionFeatures(tape: Tape, weights: Weights, pixels: Value): Variable;
  /**
   * What the language model is given for these features.
   *
   * @param features rows of `visionFeatures`, `[rows, width]`
   * @returns `[rows, text hidden]`
   */
  project(tape: Tape, weights: Weights, features: Variable): Variable;
  /** What `processor_config.json` must say for the processor of `transformers` to take as many tokens for an image. */
  processorFields?: Record<string, unknown>;
  /** The words around a question that the model was trained with. */
  promptForm: PromptForm;
  /** The same with the token boundaries of the reference system, if it has models of this family. */
  referenceForm?: PromptForm;
}

/**
 * The prompt form of a family with these token boundaries.
 *
 * @param model its directory, for the error
 * @throws InputError for `reference` and a family that the reference system has no models of
 */
export function promptFormWith(family: Family, boundaries: TokenBoundaries, model: string): PromptForm {
  const form = boundaries === 'reference' ? family.referenceForm : family.promptForm;
  if (form !== undefined) return form;
  throw new InputError({
    file: model,
    field: 'model.tokenBoundaries',
    problem: `is reference, but the reference system has no ${family.architecture}`,
    remedy: 'Set model.tokenBoundaries: separate',
  });
}

/**
 * What the language model is given for images: the vision side, then the projection.
 *
 * @param pixels float32 `[batch, 3, size, size]`
 * @returns `[batch * imageTokens, text hidden]`
 */
export function imageEmbeddings(family: Family, tape: Tape, weights: Weights, pixels: Value): Variable {
  return family.project(tape, weights, family.visionFeatures(tape, weights, pixels));
}
