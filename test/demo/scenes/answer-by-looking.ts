import { FUNCTIONS, KNOWLEDGE, TYPICAL_WEIGHT } from '../../../demo/scenes/knowledge.ts';
import type { Scene, SceneObject } from '../../../demo/scenes/scene.ts';
import { type CategoryName, findCategory } from '../../../demo/scenes/vocabulary.ts';

/**
 * All choices that answer a question, found from its words and the whole scene: written apart from the code
 * that asks, so that the two can be compared.
 */
export function rightChoices(scene: Scene, question: string, choices: readonly string[]): string[] {
  const { objects } = scene;
  const named = objects.filter(({ category }) => new RegExp(`\\b${category}\\b`).test(question));
  const namesOf = (found: readonly SceneObject[]) =>
    choices.filter((choice) => found.some(({ category }) => category === choice));
  const first = named[0] as SceneObject;

  if (/background|scene/.test(question)) return choices.filter((choice) => choice === scene.background);
  if (/quality|picture look/.test(question)) return choices.filter((choice) => choice === scene.quality);
  if (/mostly/.test(question)) {
    const count = (group: string) => objects.filter(({ category }) => findCategory(category)?.group === group).length;
    const most = Math.max(...choices.map(count));
    return choices.filter((choice) => count(choice) === most);
  }
  if (/same|too\?$/.test(question)) {
    const key = question.includes('color') ? 'color' : 'size';
    return namesOf(objects.filter((object) => object !== first && object[key] === first[key]));
  }
  if (/^Which is larger/.test(question)) {
    const large = named.filter(({ size }) => size === 'large');
    return large.length === 1 ? namesOf(large) : choices.filter((choice) => choice === 'same size');
  }
  if (/color/.test(question)) return choices.filter((choice) => choice === first.color);

  const seenFrom =
    question.match(/^Where is the (\w+), seen from the (\w+)/) ??
    question.match(/side of the (?<from>\w+) is the (?<to>\w+)/);
  if (seenFrom) {
    const [to, from] = seenFrom.groups ? [seenFrom.groups.to, seenFrom.groups.from] : [seenFrom[1], seenFrom[2]];
    return choices.filter((choice) =>
      lies(
        objects.find(({ category }) => category === to),
        choice,
        objects.find(({ category }) => category === from),
      ),
    );
  }
  const side = question.match(/\b(left|right|above|below)\b/)?.[1];
  if (side) return namesOf(objects.filter((object) => object !== first && lies(object, side, first)));
  if (/^Where|^In which part/.test(question)) return choices.filter((choice) => choice === first.place);

  const group = question.match(/(animal|vehicle|food) (is here|can be seen)/)?.[1];
  if (group) return namesOf(objects.filter(({ category }) => findCategory(category)?.group.startsWith(group)));
  const extreme = question.match(/heaviest|lightest/)?.[0];
  if (extreme) {
    const weights = objects.map(({ category }) => TYPICAL_WEIGHT[category]);
    const wanted = extreme === 'heaviest' ? Math.max(...weights) : Math.min(...weights);
    return namesOf(objects.filter(({ category }) => TYPICAL_WEIGHT[category] === wanted));
  }
  const fact = [...FUNCTIONS, ...KNOWLEDGE].find(({ phrase }) => question.endsWith(` ${phrase}?`));
  if (fact) return namesOf(objects.filter(({ category }) => fact.categories.includes(category as CategoryName)));
  return namesOf(objects.filter(({ color, size }) => new RegExp(`\\b(${color}|${size})\\b`).test(question)));
}

// The rows and columns of the grid, which the asking code doesn't use: it measures boxes.
function lies(object: SceneObject | undefined, side: string, from: SceneObject | undefined): boolean {
  if (!object || !from) return false;
  const column = ({ place }: SceneObject) => (place.includes('left') ? 0 : place.includes('right') ? 2 : 1);
  const row = ({ place }: SceneObject) => (place.includes('top') ? 0 : place.includes('bottom') ? 2 : 1);
  if (side === 'left') return column(object) < column(from);
  if (side === 'right') return column(object) > column(from);
  return side === 'above' ? row(object) < row(from) : row(object) > row(from);
}
