import type { SeededRandom } from '../core/seeded-random.ts';
import { findLetters, renameLetters } from './choice-letters.ts';
import { checkSample, isRejection, isShortAnswer, type Parsed, type ParsedAnswer } from './filters.ts';

/**
 * Shuffles the choices of samples so that each of the letters is correct equally often, among samples with as many
 * choices. Letters in explanations follow their choices. A sample keeps its order where this can't be done surely, or where
 * the result would not pass `checkSample`; the other samples then make up for its letter. Short answers have none.
 */
export function shuffleAll(samples: readonly Parsed[], random: SeededRandom): Parsed[] {
  const placesByCount = new Map<number, Places>();
  const placesOf = ({ choices: { length } }: ParsedAnswer): Places => {
    const places = placesByCount.get(length) ?? balancedPlaces(length, random);
    placesByCount.set(length, places);
    return places;
  };
  const canShuffle = samples.map((sample) => !isShortAnswer(sample) && hasKnownLetters(sample));
  for (const [index, sample] of samples.entries()) {
    if (!canShuffle[index] && !isShortAnswer(sample)) placesOf(sample).take(sample.correctChoiceIndex);
  }
  return samples.map((sample, index) => {
    if (!canShuffle[index] || isShortAnswer(sample)) return sample;
    const places = placesOf(sample);
    const place = places.draw();
    const shuffled = shuffleChoices(sample, place, random);
    if (shuffled && !isRejection(checkSample(shuffled))) return shuffled;
    places.giveBack(place);
    places.take(sample.correctChoiceIndex);
    return sample;
  });
}

function hasKnownLetters({ question, explanation, choices }: ParsedAnswer): boolean {
  return findLetters(explanation, choices) !== undefined && !/\([A-E]\)|\b(?:option|choice) [A-E]\b/.test(question);
}

interface Places {
  /** A place for the correct choice. */
  draw(): number;
  giveBack(place: number): void;
  /** Counts a correct choice that stays in this place. */
  take(place: number): void;
}

// Drawn from shuffled sets of all places, so that the balance does not depend on chance.
function balancedPlaces(count: number, random: SeededRandom): Places {
  let places: number[] = [];
  const addSet = () => {
    places = [...random.shuffle(Array.from({ length: count }, (_, place) => place)), ...places];
  };
  return {
    draw: () => {
      if (places.length === 0) addSet();
      return places.pop() as number;
    },
    giveBack: (place) => places.push(place),
    take: (place) => {
      if (!places.includes(place)) addSet();
      places.splice(places.lastIndexOf(place), 1);
    },
  };
}

function shuffleChoices(parsed: ParsedAnswer, place: number, random: SeededRandom): ParsedAnswer | undefined {
  const others = random.shuffle([...parsed.choices.keys()].filter((index) => index !== parsed.correctChoiceIndex));
  const order = [...others.slice(0, place), parsed.correctChoiceIndex, ...others.slice(place)];
  const explanation = renameLetters(parsed.explanation, parsed.choices, order);
  if (explanation === undefined) return undefined;
  const choices = order.map((index) => parsed.choices[index] as string);
  return { ...parsed, choices, correctChoiceIndex: place, explanation };
}
