/**
 * Sorts questions into types by how they are worded and what the types' explanations say, from the text of a request alone.
 */
import { type DescribedType, quotedIn } from './propose.ts';
import { cosine, countAll, gramsOf, skeletonsOf } from './words.ts';

/** Less alike than this, a question fits none of the types. */
const alikeFrom = 0.25;

/**
 * Finds the type of each question: that with the wording most like its own. A type whose explanation quotes no wording is
 * known by the words of the explanation.
 *
 * @param fallback the type of questions that fit none; without it, they get the type that they are most like
 */
export function sortByWording(
  questions: readonly string[],
  types: readonly DescribedType[],
  fallback: string | undefined,
): (string | undefined)[] {
  const described = types
    .filter(({ name }) => name !== fallback)
    .map(({ name, explanation }) => {
      const quoted = quotedIn(explanation);
      return { name, wordings: quoted.length > 0 ? quoted : [explanation] };
    });
  const wordings = described.flatMap((type) => type.wordings);
  // A thing that one question and one wording name is a slot in both.
  const skeletonOf = skeletonsOf(
    [...questions, ...wordings].map((question) => ({ question })),
    { fewest: 3 },
  );
  const grams = (text: string) => gramsOf(skeletonOf(text));
  const withGram = countAll(wordings.flatMap((wording) => [...grams(wording).keys()]));
  // Where types are few, what most wordings have must still count.
  const vectorOf = (text: string) =>
    new Map([...grams(text).keys()].map((gram) => [gram, Math.log(1 + wordings.length / (withGram.get(gram) ?? 1))]));
  const vectors = described.map((type) => ({ ...type, vectors: type.wordings.map(vectorOf) }));
  return questions.map((question) => {
    const vector = vectorOf(question);
    let best = { name: described[0]?.name ?? fallback, similarity: 0 };
    for (const type of vectors) {
      const similarity = Math.max(...type.vectors.map((other) => cosine(vector, other)));
      if (similarity > best.similarity) best = { name: type.name, similarity };
    }
    return best.similarity < alikeFrom ? (fallback ?? best.name) : best.name;
  });
}
