/** How many graphs a finetune traces: padding costs a little in every step, a graph much in its first. */
import { type BatchShape, imagesIn } from '../batch.ts';

/** What TensorFlow takes to prepare one more graph, in steps: 1.2 s beside 0.25 s for the demo's model. */
const GRAPH_STEPS = 4;
/** What a learned place costs of a token: it passes the vocabulary's matrix, but no layer. */
const TARGET_SHARE = 0.25;

/**
 * Chooses the shapes that batches are padded to: as long as padding two shapes to their common size costs less time
 * than a graph of its own, they become one.
 *
 * @param needed the smallest shape of every batch, in the order of training
 * @returns a shape for each, at least as large
 * @example
 * padToFewShapes([{ batch: 16, tokens: 64, targets: 32 }, ...]) // the one batch of its shape joins a larger one
 */
export function padToFewShapes(needed: readonly BatchShape[]): BatchShape[] {
  const groups = groupByShape(needed);
  const total = needed.reduce((sum, shape) => sum + cost(shape), 0);
  const graphCost = (GRAPH_STEPS * total) / needed.length;
  for (;;) {
    const cheapest = cheapestUnion(groups);
    if (!cheapest || cheapest.extra >= graphCost) break;
    const { one, other, union } = cheapest;
    groups.splice(groups.indexOf(other), 1);
    groups[groups.indexOf(one)] = { shape: union, places: [...one.places, ...other.places] };
  }
  const chosen: BatchShape[] = [...needed];
  for (const { shape, places } of groups) for (const place of places) chosen[place] = shape;
  return chosen;
}

interface Group {
  shape: BatchShape;
  /** Places in the order of training. */
  places: number[];
}

function groupByShape(shapes: readonly BatchShape[]): Group[] {
  const groups = new Map<string, Group>();
  for (const [place, shape] of shapes.entries()) {
    const key = `${shape.batch} ${shape.tokens} ${shape.targets} ${shape.images}`;
    const group = groups.get(key);
    if (group) group.places.push(place);
    else groups.set(key, { shape, places: [place] });
  }
  return [...groups.values()];
}

const cost = ({ batch, tokens, targets }: BatchShape) => batch * (tokens + TARGET_SHARE * targets);

function cheapestUnion(groups: readonly Group[]) {
  let cheapest: { one: Group; other: Group; union: BatchShape; extra: number } | undefined;
  for (const [index, one] of groups.entries()) {
    for (const other of groups.slice(index + 1)) {
      if (one.shape.batch !== other.shape.batch) continue;
      const images = Math.max(imagesIn(one.shape), imagesIn(other.shape));
      const union = {
        batch: one.shape.batch,
        tokens: Math.max(one.shape.tokens, other.shape.tokens),
        targets: Math.max(one.shape.targets, other.shape.targets),
        ...(images > one.shape.batch && { images }),
      };
      const extraOf = ({ shape, places }: Group) => places.length * (cost(union) - cost(shape));
      const extra = extraOf(one) + extraOf(other);
      if (!cheapest || extra < cheapest.extra) cheapest = { one, other, union, extra };
    }
  }
  return cheapest;
}
