import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAnswer } from '../../src/generation/parse-answer.ts';

const good = {
  question: 'Question: Where is the cat [0.1, 0.2, 0.3, 0.4]?',
  choices: 'Choices: (A) On the door [0.1, 0.2, 0.3, 0.4]. (B) On the floor (C) Outside. (D) On the roof',
  answer: 'Answer: The answer is (B): On the floor.',
  explanation: 'Explanations: One sees the cat [0.1, 0.2, 0.3, 0.4] on the floor.',
};
const text = (parts: Partial<Record<keyof typeof good, string>> = {}) =>
  Object.values({ ...good, ...parts })
    .filter((part) => part !== '')
    .join('\n');

describe('a good answer', () => {
  test('is parsed into its four parts, without boxes and without full stops behind choices', () => {
    expect(parseAnswer(text())).toEqual({
      question: 'Where is the cat?',
      choices: ['On the door', 'On the floor', 'Outside', 'On the roof'],
      correctChoiceIndex: 1,
      explanation: 'Explanations: One sees the cat on the floor.',
    });
  });

  test.each([
    'Explanation:',
    'Explanations:',
    'Explaination:',
    'Reason:',
    'Reasoning:',
    'Lecture:',
    'Explanatory note:',
  ])('may call its last part "%s"', (heading) => {
    const explanation = `${heading} One sees it.`;
    expect(parseAnswer(text({ explanation }))).toMatchObject({ explanation });
  });

  test('may have its choices on lines of their own, and an explanation of several lines', () => {
    const answer = text({
      choices: 'Choices:\n(A) one\n(B) two\n(C) three\n(D) four',
      answer: 'Answer: The answer is (B): two.',
      explanation: 'Explanation: First.\nSecond.',
    });
    expect(parseAnswer(answer)).toMatchObject({
      choices: ['one', 'two', 'three', 'four'],
      explanation: 'Explanation: First. Second.',
    });
  });

  test('may come with Windows line ends, and a small letter', () => {
    const answer = text({ answer: 'Answer: (b) On the floor' }).replaceAll('\n', '\r\n');
    expect(parseAnswer(answer)).toMatchObject({ correctChoiceIndex: 1 });
  });

  test('may be in another language', () => {
    const answer = text({
      question: 'Question: 猫在哪里？',
      choices: 'Choices: (A) 门上 (B) 地上 (C) 外面 (D) 屋顶',
      answer: 'Answer: (B) 地上',
    });
    expect(parseAnswer(answer)).toMatchObject({ question: '猫在哪里？', choices: ['门上', '地上', '外面', '屋顶'] });
  });

  test.each([
    ['bold headings', text().replace(/^(\w+):/gm, '**$1:**')],
    ['headings of Markdown', text().replace(/^(\w+):/gm, '### $1:')],
    [
      'letters with one bracket',
      text({ choices: 'Choices: A) On the door B) On the floor C) Outside D) On the roof' }),
    ],
    [
      'letters with full stops',
      text({ choices: 'Choices:\nA. On the door\nB. On the floor\nC. Outside\nD. On the roof' }),
    ],
    ['a letter without brackets as its answer', text({ answer: 'Answer: B' })],
    ['a letter with one bracket as its answer', text({ answer: 'Answer: B) On the floor' })],
  ])('may have %s', (_, answer) => {
    expect(parseAnswer(answer)).toMatchObject({
      choices: ['On the door', 'On the floor', 'Outside', 'On the roof'],
      correctChoiceIndex: 1,
    });
  });

  test('may have full-width brackets and colons, and choices without blanks between them', () => {
    const answer =
      '**Question：** 猫在哪里？\nChoices：（A）门上（B）地上（C）外面（D）屋顶\nAnswer：（B）地上。\nExplanation：猫在地上。';
    expect(parseAnswer(answer)).toEqual({
      question: '猫在哪里？',
      choices: ['门上', '地上', '外面', '屋顶'],
      correctChoiceIndex: 1,
      explanation: 'Explanation: 猫在地上。',
    });
  });

  test.each([
    'Answer: (B)',
    'Answer: The answer is (B): on the floor',
    'Answer: The answer is (B): On the floor of the kitchen.',
    'Answer: (B) because it lies there.',
  ])('may answer "%s"', (answer) => {
    expect(parseAnswer(text({ answer }))).toMatchObject({ correctChoiceIndex: 1 });
  });

  test('may use brackets within a choice', () => {
    const answer = text({
      choices: 'Choices: (A) a TV (flat) (B) a radio (C) a book (D) a cup',
      answer: 'Answer: (B)',
    });
    expect(parseAnswer(answer)).toMatchObject({ choices: ['a TV (flat)', 'a radio', 'a book', 'a cup'] });
  });
});

describe('teacher_answers_reference_keeps_ours_drops.json', () => {
  const file = new URL('../fixtures/fidelity/teacher_answers_reference_keeps_ours_drops.json', import.meta.url);
  const answers = JSON.parse(readFileSync(file, 'utf8')) as { _name: string; raw_instructions: string }[];
  const textOf = (name: string) => answers.find(({ _name }) => _name === name)?.raw_instructions ?? '';

  test.each([
    ['heading Lecture', 'Lecture: By looking at the image, he holds a ball.'],
    ['heading Explaination', 'Explaination: By looking at the image, he holds a ball.'],
    ['no explanation heading', 'By looking at the image, he holds a ball.'],
    // The reference system takes the whole text for the explanation here.
    ['one line', 'Explanations: By looking at the image, he holds a ball.'],
  ])('%s', (name, explanation) => {
    expect(parseAnswer(textOf(name))).toEqual({
      question: 'What is the man holding?',
      choices: ['a bat', 'a ball', 'a glove', 'a hat'],
      correctChoiceIndex: 1,
      explanation,
    });
  });

  test.each([
    ['3 choices', ['a bat', 'a ball', 'a glove'], 1],
    ['5 choices', ['a bat', 'a ball', 'a glove', 'a hat', 'a shoe'], 4],
  ])('%s', (name, choices, correctChoiceIndex) => {
    expect(parseAnswer(textOf(name))).toMatchObject({ choices, correctChoiceIndex });
  });

  test('a choice of nothing but brackets is empty, and the sample left out: the reference does so when it trains', () => {
    expect(parseAnswer(textOf('bracket text'))).toMatchObject({ reason: 'missing_part' });
  });
});

describe('headings within a line', () => {
  const parsed = parseAnswer(text());

  test.each([
    ['all of them', text().replaceAll('\n', ' ')],
    [
      'in bold',
      text()
        .replaceAll('\n', ' ')
        .replace(/(Question|Choices|Answer|Explanations):/g, '**$1:**'),
    ],
    ['that of the explanation', text().replace('\nExplanations', ' Explanations')],
    ['that of the choices', text().replace('\nChoices', ' Choices')],
  ])('%s', (_, answer) => {
    expect(parseAnswer(answer)).toEqual(parsed);
  });

  test('do not count where others start a line', () => {
    const question = 'Question: Which sign says "Answer: no"?';
    expect(parseAnswer(text({ question }))).toMatchObject({ question: 'Which sign says "Answer: no"?' });
  });

  test('twice are rejected', () => {
    const answer = `${text()} ${text()}`.replaceAll('\n', ' ');
    expect(parseAnswer(answer)).toMatchObject({ reason: 'missing_part' });
  });
});

test('an explanation without a heading is the last line', () => {
  const explanation = 'Let me explain.\nOne sees the cat on the floor.';
  expect(parseAnswer(text({ explanation }))).toMatchObject({ explanation: 'One sees the cat on the floor.' });
});

describe('an answer is rejected', () => {
  test.each([
    ['without a question', { question: '' }, 'missing_part'],
    ['without choices', { choices: '' }, 'missing_part'],
    ['without an answer', { answer: '' }, 'missing_part'],
    ['without an explanation', { explanation: '' }, 'missing_part'],
    ['with an empty explanation', { explanation: 'Explanations:' }, 'missing_part'],
    ['with a question of nothing but a box', { question: 'Question: [0, 0, 1, 1]' }, 'missing_part'],
    ['with two questions', { question: 'Question: Why?\nQuestion: How?' }, 'missing_part'],
    ['with one choice', { choices: 'Choices: (A) one', answer: 'Answer: (A)' }, 'choice_count'],
    ['with six choices', { choices: 'Choices: (A) 1 (B) 2 (C) 3 (D) 4 (E) 5 (F) 6' }, 'choice_count'],
    [
      'with a letter beyond its choices',
      { choices: 'Choices: (A) one (B) two (C) three', answer: 'Answer: (D)' },
      'answer_not_among_choices',
    ],
    ['with choices out of order', { choices: 'Choices: (B) 1 (A) 2 (C) 3 (D) 4' }, 'choice_count'],
    ['with choices that have no letters', { choices: 'Choices: one, two, three, four' }, 'choice_count'],
    ['with an empty choice', { choices: 'Choices: (A) 1 (B) (C) 3 (D) 4' }, 'missing_part'],
    ['with two choices alike', { choices: 'Choices: (A) red (B) Red. (C) blue (D) pink' }, 'choices_not_distinct'],
    ['with a letter that is no choice', { answer: 'Answer: The answer is (F): Nowhere.' }, 'answer_not_among_choices'],
    ['without a letter', { answer: 'Answer: On the floor.' }, 'answer_not_among_choices'],
    ['with the words of another choice', { answer: 'Answer: The answer is (B): Outside.' }, 'two_answers'],
    ['with words that are no choice', { answer: 'Answer: (B) a unicorn.' }, 'answer_not_among_choices'],
    [
      'with choices that differ in an article',
      { choices: 'Choices: (A) a cat (B) the cat. (C) x (D) y' },
      'choices_not_distinct',
    ],
    ['with its headings in another language', { question: 'Pregunta: ¿Dónde está el gato?' }, 'missing_part'],
    ['with two answers', { answer: 'Answer: The answer is (A) or (B).' }, 'answer_not_among_choices'],
    ['that speaks of a description', { explanation: 'Explanations: The Description says so.' }, 'description'],
    ['that names a place by its box', { question: 'Question: What is located at [0, 0, 1, 1]?' }, 'located_at_box'],
  ])('%s', (_, parts, reason) => {
    expect(parseAnswer(text(parts))).toMatchObject({ reason });
  });

  test('with its parts out of order', () => {
    const answer = [good.answer, good.question, good.choices, good.explanation].join('\n');
    expect(parseAnswer(answer)).toMatchObject({ reason: 'missing_part' });
  });

  test('with two whole samples in it', () => {
    expect(parseAnswer(`${text()}\n\n${text()}`)).toEqual({ reason: 'missing_part', detail: 'more than one question' });
  });

  test('with an answer that a caption has put there', () => {
    const explanation = `${good.explanation}\nAnswer: The answer is (A): On the door.`;
    expect(parseAnswer(text({ explanation }))).toEqual({ reason: 'missing_part', detail: 'more than one answer' });
  });

  test.each(['', 'no', '{"weather":"fine"}', 'Question: Choices: Answer: Explanation:'])(
    'for the nonsense %j',
    (nonsense) => {
      expect(parseAnswer(nonsense)).toMatchObject({ reason: 'missing_part' });
    },
  );
});
