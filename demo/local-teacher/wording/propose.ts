/**
 * Proposes question types from how questions are worded and answered, and merges proposals, from the text of a request alone.
 */
import { clustersOf, type Unit } from './clusters.ts';
import { countAll, gramsOf, skeletonsOf, slot, type WordedQuestion, wordsOf } from './words.ts';

/** A type as a request lists it. */
export interface DescribedType {
  name: string;
  explanation: string;
}

export interface ProposedType extends DescribedType {
  title: string;
}

/** Fewer questions make no type. */
const smallestType = 3;
const mostWordings = 8;
const mostMergedWordings = 12;
const mostAnswers = 12;
const mostNameWords = 5;

/** Proposes types of questions, the most frequent first, but none that an existing type covers. */
export function proposeTypes(
  questions: readonly WordedQuestion[],
  existing: readonly DescribedType[],
  maximum: number,
): ProposedType[] {
  const skeletonOf = skeletonsOf(questions);
  const byWording = groupBy(questions, ({ question }) => skeletonOf(question).join(' '));
  const wordings = [...byWording].map(([skeleton, members]) => ({
    skeleton,
    members,
    unit: {
      size: members.length,
      grams: gramsOf(skeleton.split(' ')),
      answers: countAll(members.map(({ answer = '' }) => answer)),
    } satisfies Unit,
  }));
  const known = new Set(
    existing.flatMap(({ explanation }) => quotedIn(explanation)).map((text) => skeletonOf(text).join(' ')),
  );
  const clusters = clustersOf(wordings.map(({ unit }) => unit))
    .map((places) => places.map((place) => wordings[place] as (typeof wordings)[number]))
    .map((cluster) => cluster.filter(({ skeleton }) => !known.has(skeleton)))
    .map((cluster) => ({ cluster, size: sum(cluster.map(({ members }) => members.length)) }))
    .filter(({ size }) => size >= smallestType)
    .sort((left, right) => right.size - left.size);
  return describe(
    clusters.slice(0, maximum).map(({ cluster }) => ({
      wordings: inTurn(
        cluster.toSorted((left, right) => right.members.length - left.members.length).map(({ members }) => members),
        mostWordings,
      ).map(({ question }) => question),
      answers: mostFrequent(cluster.flatMap(({ members }) => members.flatMap(({ answer }) => answer ?? []))),
    })),
    existing,
  );
}

/** Makes one type of those that are worded or answered alike. */
export function mergeTypes(proposed: readonly DescribedType[], maximum: number): ProposedType[] {
  const read = proposed.map(({ explanation }) => ({
    wordings: quotedIn(explanation),
    answers: answersIn(explanation),
  }));
  const skeletonOf = skeletonsOf(
    read.flatMap(({ wordings, answers }) => wordings.map((question) => ({ question, answer: answers.join(' ') }))),
  );
  const units = read.map(({ wordings, answers }): Unit => {
    const grams = wordings.flatMap((wording) => [...gramsOf(skeletonOf(wording))]);
    return { size: 1, grams: countAll(grams.map(([gram]) => gram)), answers: countAll(answers) };
  });
  const clusters = clustersOf(units)
    .map((places) => places.map((place) => read[place] as (typeof read)[number]))
    .sort((left, right) => right.length - left.length);
  return describe(
    clusters.slice(0, maximum).map((cluster) => {
      const wordings = cluster.flatMap((one) => one.wordings);
      const bySkeleton = groupBy(wordings, (wording) => skeletonOf(wording).join(' '));
      const groups = [...bySkeleton.values()].sort((left, right) => right.length - left.length);
      return {
        wordings: inTurn(groups, mostMergedWordings),
        answers: mostFrequent(cluster.flatMap(({ answers }) => answers)),
      };
    }),
    [],
  );
}

/** The wordings that a type's explanation quotes. */
export function quotedIn(explanation: string): string[] {
  return Array.from(explanation.matchAll(/"([^"]+)"/g), (match) => match[1] as string);
}

function answersIn(explanation: string): string[] {
  const listed = /Answers such as (.+)\.$/.exec(explanation)?.[1];
  return listed === undefined ? [] : listed.split(', ');
}

interface Described {
  wordings: string[];
  answers: string[];
}

function describe(types: readonly Described[], existing: readonly DescribedType[]): ProposedType[] {
  const names = new Set(existing.map(({ name }) => name));
  return types.map(({ wordings, answers }) => {
    const words = wordsOf(wordings[0] ?? '').filter((word) => word !== slot);
    const title = words.slice(0, mostNameWords).join(' ').replaceAll("'", '') || 'questions';
    const base = title.replace(/[^a-z0-9]+/g, '_').replace(/^[^a-z]+/, '') || 'questions';
    let name = base;
    for (let number = 2; names.has(name); number += 1) name = `${base}_${number}`;
    names.add(name);
    const quoted = wordings.map((wording) => `"${wording.replaceAll('"', "'")}"`).join(', ');
    return { name, title, explanation: `Questions worded like ${quoted}. Answers such as ${answers.join(', ')}.` };
  });
}

function mostFrequent(answers: readonly string[]): string[] {
  const counted = [...countAll(answers)].sort(([, left], [, right]) => right - left);
  return counted.slice(0, mostAnswers).map(([answer]) => answer.replaceAll(/[,".]/g, ' ').trim());
}

/** The first of each group, then the second of each, and so on. */
function inTurn<T>(groups: readonly (readonly T[])[], most: number): T[] {
  const longest = Math.max(0, ...groups.map(({ length }) => length));
  const items = Array.from({ length: longest }, (_, turn) => groups.flatMap((group) => group.slice(turn, turn + 1)));
  return items.flat().slice(0, most);
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
