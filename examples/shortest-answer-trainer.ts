/**
 * A trainer of one's own, in any language: a program that is given a job file and answers with JSON lines
 * (`src/trainer/protocol.ts`). This one does evaluate jobs only, with no model: it finds the shortest answer likeliest, a
 * baseline that shows how much a benchmark's choices give away.
 *
 *   dataengine worker gpu --trainer examples/shortest-answer-trainer.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type EvaluationQuestion, evaluationQuestionSchema } from '../src/trainer/job-files.ts';
import { jobSpecSchema } from '../src/trainer/protocol.ts';

const say = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);

// The parent's end of the pipe closes when the worker dies: the trainer must end with it.
process.stdin.on('end', () => process.exit(1)).resume();

const job = jobSpecSchema.parse(JSON.parse(readFileSync(process.argv[2] as string, 'utf8')));
say({ type: 'started' });
if (job.kind === 'evaluate') {
  const lines = readFileSync(job.questions, 'utf8').trim().split('\n');
  const answered = lines.map((line, index) => {
    const question = evaluationQuestionSchema.parse(JSON.parse(line));
    say({ type: 'progress', step: index + 1, steps: lines.length });
    return JSON.stringify({ question_id: question.question_id, losses: losses(question) });
  });
  writeFileSync(job.output, `${answered.join('\n')}\n`);
  say({ type: 'done', outputs: [job.output], metrics: { questions: lines.length } });
} else {
  say({ type: 'failed', kind: 'input', message: `no ${job.kind} jobs are done here`, retryable: false });
}
process.exit(0);

function losses({ answers }: EvaluationQuestion): number[] {
  return answers.map((answer) => answer.length);
}
