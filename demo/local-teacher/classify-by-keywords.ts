import type { ClassificationPrompt } from './read-prompt.ts';

// The first rule that fits decides, so the narrow ones come before the wide ones.
const rules: readonly [type: string, pattern: RegExp][] = [
  ['image_quality', /\b(blurry|blurred|in focus|image quality|quality of the|sharp|resolution)\b/],
  [
    'image_style',
    /\b(painting|drawing|cartoon|black and white|style of (image|picture|photo)|type of (photo|image))\b/,
  ],
  ['image_emotion', /\b(mood|atmosphere|feeling does the (image|picture))\b/],
  ['future_prediction', /\b(will|going to|about to|next|happen(s|ing)? (if|when|after)|soon)\b/],
  [
    'attribute_comparison',
    /\b(same|different|larger|largest|bigger|biggest|smaller|smallest|taller|tallest|longer|compared|more .* than|most)\b/,
  ],
  [
    'object_localization',
    /\b(how many|number of|which (side|corner|part) of|facing|which direction|where in the (image|picture))\b/,
  ],
  [
    'spatial_relationship',
    /\b(left|right|behind|in front|next to|beside|above|below|under|underneath|between|near|closest|where)\b/,
  ],
  [
    'social_relation',
    /\b(relationship|related|friends?|family|couple|each other|mother|father|husband|wife|parents?)\b/,
  ],
  ['nature_relation', /\b(prey|predator|habitat|graze|grazing|in the wild|ecosystem|symbio\w*)\b/],
  [
    'function_reasoning',
    /\b(used? (for|to)|purpose|function|use of|why (is|are) the .* (there|here)|made to|helps?|for what)\b/,
  ],
  [
    'physical_property_reasoning',
    /\b(heavy|heaviest|heavier|light(est)?|fragile|liquid|hot|cold|melt|float|sink|temperature|soft|hard)\b/,
  ],
  [
    'physical_relation',
    /\b(attached|hanging|leaning|holding up|connected|supports?|covering|covered|on top of|tied)\b/,
  ],
  [
    'knowledge-based_reasoning',
    /\b(invented|known (for|as)|famous|country|originat\w*|brand|founded|president|year|century|called|capital|film|movie|author|company|scientific)\b/,
  ],
  [
    'action_recognition',
    /\b(doing|playing|holding|riding|action|activity|trying|performing|eating|looking at|wearing .* to)\b/,
  ],
  [
    'identity_reasoning',
    /\b(who|occupation|job|profession|what (sport|animal|kind of (person|animal))|dressed as|identity)\b/,
  ],
  [
    'image_scene',
    /\b(room|season|weather|time of (day|year)|city|indoors?|outdoors?|location|place|scene|environment)\b/,
  ],
  ['image_topic', /\b(topic|subject|about|theme|event)\b/],
  [
    'attribute_recognition',
    /\b(colou?r|material|made of|pattern|shape|kind|type|breed|written|say|word|number|letter|brand)\b/,
  ],
];

const known = new Set(rules.map(([type]) => type));

/** Whether there are rules for all types of a prompt. */
export function knowsTypes({ types }: ClassificationPrompt): boolean {
  return types.every(({ name }) => known.has(name));
}

/** Sorts questions by the words in them; a type that is not on offer is not used. */
export function classifyByKeywords(prompt: ClassificationPrompt): (string | undefined)[] {
  const types = prompt.types.map(({ name }) => name);
  return prompt.questions.map(({ question }) => typeByKeywords(question, types));
}

function typeByKeywords(question: string, types: readonly string[]): string | undefined {
  const text = question.toLowerCase();
  const rule = rules.find(([type, pattern]) => types.includes(type) && pattern.test(text));
  return rule?.[0] ?? (types.includes('attribute_recognition') ? 'attribute_recognition' : types[0]);
}
