import { type Card, gallery } from './gallery.ts';
import { escapeHtml, type Html } from './html.ts';
import { inlineImage } from './inline-image.ts';
import {
  isCorrectChoice,
  type ReportBadCase,
  type ReportGeneratedSample,
  type ReportRejectedAnswer,
  rightByRound,
} from './report-input.ts';
import { roundsShown } from './tables.ts';

// Together with charts and tables, the three stay within 5 MB.
const MAXIMUM_CHARACTERS = 700_000;
const MAXIMUM_RAW_CHARACTERS = 1200;

/**
 * Validation questions that some round's model answered wrongly, with the choice of each round's model.
 *
 * @param rounds numbers of all rounds; the last of a question's answers is the last round's
 */
export function badCaseGallery(badCases: ReportBadCase[], rounds: readonly number[]): Promise<Html> {
  return gallery({
    id: 'bad-cases',
    whenEmpty: 'No bad cases.',
    maximumCharacters: MAXIMUM_CHARACTERS,
    cards: badCases.map(
      (badCase): Card => ({
        labels: { 'what became of it': fateOf(badCase), 'question type': badCase.questionType },
        content: async () => questionCard(badCase, badCase.chosen.at(-1), answersByRound(badCase, rounds)),
      }),
    ),
  });
}

/** The samples that the rounds added. */
export function generatedGallery(generated: ReportGeneratedSample[]): Promise<Html> {
  return gallery({
    id: 'generated',
    whenEmpty: 'No samples were generated yet.',
    maximumCharacters: MAXIMUM_CHARACTERS,
    cards: generated.map(
      (sample): Card => ({
        labels: { round: String(sample.round), 'question type': sample.questionType },
        content: async () =>
          questionCard(
            sample,
            undefined,
            sample.rationale === undefined ? '' : `<p class="rationale">${escapeHtml(sample.rationale)}</p>`,
          ),
      }),
    ),
  });
}

/** The teacher's answers that were rejected, with the reason. */
export function rejectedGallery(rejected: ReportRejectedAnswer[]): Promise<Html> {
  return gallery({
    id: 'rejected',
    whenEmpty: 'No answer of the teacher was rejected.',
    maximumCharacters: MAXIMUM_CHARACTERS,
    cards: rejected.map(
      ({ round, image, reason, detail, raw }): Card => ({
        labels: { reason, round: String(round) },
        content: async () => {
          const text = raw.length > MAXIMUM_RAW_CHARACTERS ? `${raw.slice(0, MAXIMUM_RAW_CHARACTERS)} …` : raw;
          return `${await inlineImage(image)}
<div><p class="reason"><b>${escapeHtml(reason)}</b>: ${escapeHtml(detail)}</p><pre>${escapeHtml(text)}</pre></div>`;
        },
      }),
    ),
  });
}

/** By the last round: whether the answer is correct now, and was before. */
function fateOf(badCase: ReportBadCase): string {
  const right = rightByRound(badCase).filter((isRight) => isRight !== undefined);
  if (right.at(-1)) return 'fixed: right now';
  return right.includes(true) ? 'forgotten: was right before' : 'never right';
}

function answersByRound(badCase: ReportBadCase, rounds: readonly number[]): Html {
  const rights = rightByRound(badCase);
  // A choice of one round is marked among the choices.
  if (rights.length < 2 && badCase.short === undefined) return '';
  const first = Math.max(0, rights.length - roundsShown);
  const answers = rights.slice(first).map((isRight, index) => {
    const place = first + index;
    const round = rounds.at(place - rights.length) ?? place;
    if (isRight === undefined) return `<span>${round}: not asked</span>`;
    const [mark, sign] = isRight ? ['correct', '✓'] : ['chosen', '✗'];
    const written = badCase.short?.written[place]?.text;
    const answer = written === undefined ? `(${letter(badCase.chosen[place] as number)})` : escapeHtml(cut(written));
    return `<span class="${mark}">${round}: ${answer} ${sign}</span>`;
  });
  return `<p class="by-round">By round ${answers.join(' ')}</p>`;
}

const mostOfAnAnswer = 200;

function cut(text: string): string {
  return text.length > mostOfAnAnswer ? `${text.slice(0, mostOfAnAnswer)} …` : text;
}

async function questionCard(
  { image, questionType, question, choices, correct, answer, short }: ShownQuestion,
  chosen: number | undefined,
  below: Html,
): Promise<Html> {
  const lines = choices.map((choice, index) =>
    choiceLine(choice, isCorrectChoice({ choices, correct }, index), index === chosen),
  );
  return `${await inlineImage(image)}
<div><p class="type">${escapeHtml(questionType)}</p>
<p class="question">${escapeHtml(question)}</p>
${choices.length > 0 ? `<ol type="A">${lines.join('')}</ol>` : rightAnswers(short?.right ?? [answer ?? ''])}${below}</div>`;
}

type ShownQuestion = Omit<ReportGeneratedSample, 'round' | 'rationale'> & Pick<ReportBadCase, 'short'>;

function rightAnswers(answers: readonly string[]): Html {
  return `<p class="correct">${escapeHtml(cut([...new Set(answers)].join(' · ')))} ✓</p>`;
}

/** A choice as an item of a list, marked when it is the correct one or the model's. */
export function choiceLine(choice: string, isCorrect: boolean, isChosen: boolean): Html {
  if (isCorrect) return `<li class="correct">${escapeHtml(choice)} <span>✓ correct</span></li>`;
  if (isChosen) return `<li class="chosen">${escapeHtml(choice)} <span>✗ model’s answer</span></li>`;
  return `<li>${escapeHtml(choice)}</li>`;
}

function letter(choice: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + choice);
}
