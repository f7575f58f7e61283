/** What pretraining must know of a domain of rendered images: how to draw them, what they show, and texts about them. */
import type { SeededRandom } from '../../src/core/seeded-random.ts';

/** A text that the model learns: its answer to a prompt. */
export interface Stage1Text {
  prompt: string;
  answer: string;
}

/** The class of each label, by number. */
export type Labels = Readonly<Record<string, number>>;

/** The targets of vision pretraining. */
export interface VisionTargets<Scene> {
  /** Classes of each label of an object; the last class of each means that there is no object. */
  objectClasses: Labels;
  /** Classes of each label of the whole image. */
  imageClasses: Labels;
  /** Places that an image has, each with an object or none. As many queries learn them, and one more the image's labels. */
  places: number;
  /** By place. */
  placeLabels(scene: Scene): Labels[];
  /** Of a grid of patches, row by row: the object that a patch shows. */
  patchLabels(scene: Scene, patchesPerSide: number): Labels[];
  imageLabels(scene: Scene): Labels;
}

export interface PretrainingDomain<Scene> {
  draw(random: SeededRandom): Scene;
  /** RGB bytes `[size, size, 3]`. */
  pixels(scene: Scene, size: number): Promise<Uint8Array>;
  vision: VisionTargets<Scene>;
  /** Kinds of texts, and how often each is drawn. */
  textKinds: Readonly<Record<string, number>>;
  /** The kind whose loss is reported. */
  reportedKind: string;
  text(kind: string, scene: Scene, random: SeededRandom): Stage1Text;
  /** A question with its answer, as finetuning writes them: their words are in the tokenizer, and not learned. */
  question(scene: Scene, random: SeededRandom): Stage1Text | undefined;
}
