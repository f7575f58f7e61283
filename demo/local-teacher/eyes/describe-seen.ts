import { withArticle } from '../../scenes/captions.ts';
import type { PartialScene } from '../../scenes/scene.ts';
import type { Background } from '../../scenes/vocabulary.ts';
import type { LocalAnswer } from '../answer-format.ts';
import type { Seen } from './look.ts';

const WHERE: Readonly<Record<Background, string>> = {
  beach: 'on a beach',
  street: 'on a street',
  park: 'in a park',
  snow: 'in the snow',
  kitchen: 'in a kitchen',
  night: 'at night',
};

/** The facts and boxes of what was recognized, as JSON (`configs/prompts/describe-v1.md`); a sentence for nothing. */
export function describeSeen(seen: Seen | undefined): LocalAnswer {
  if (!seen?.scene) return { kind: 'other', text: 'I recognize nothing in this picture.' };
  const { scene } = seen;
  const { objects, width, height } = scene;
  const boxes = objects.map(({ category, box: [x, y, w, h] }) => {
    const edges = [x / width, y / height, (x + w) / width, (y + h) / height];
    return { category, box: edges.map((share) => Math.round(Math.min(1, Math.max(0, share)) * 1000) / 1000) };
  });
  return { kind: 'facts', text: JSON.stringify({ facts: factsOf(scene), boxes }) };
}

function factsOf({ objects, background, quality }: PartialScene): string[] {
  const things = objects.map(
    ({ category, color, size, place }) => `${withArticle(`${size} ${color} ${category}`)} is at the ${place}`,
  );
  const where = background ? [`the things are seen ${WHERE[background]}`] : [];
  const look = quality ? [`this is ${withArticle(quality)} picture`] : [];
  return [...things, `there are ${objects.length} things`, ...where, ...look];
}
