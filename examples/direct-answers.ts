/**
 * A script on the libraries: a model writes its answers to A-OKVQA's questions, without being shown the choices, and they
 * are scored as A-OKVQA scores direct answers.
 *
 *   node --import tsx examples/direct-answers.ts data/stage1 aokvqa_v1p0_val.json COCO2017/val2017 100
 */
import { benchmarkOf } from 'mllm-dataengine/evaluation';
import { generateTexts } from 'mllm-dataengine/trainer/generate-text';

const [model = '', file = '', images = '', limit = '20'] = process.argv.slice(2);

const benchmark = benchmarkOf('aokvqa');
const questions = await benchmark.read({ file, images, limit: Number(limit), extractedImages: images });
const requests = questions.map((question) => {
  const { generate } = benchmark.ask(question, 'generated');
  return { id: question.id, image: question.image, prompt: generate?.question ?? '' };
});
const texts = await generateTexts(model, requests, { strategy: { kind: 'greedy' }, maximumNewTokens: 24 });

const answered = questions.map((question, index) => ({
  question,
  text: texts[index]?.text ?? '',
  choice: undefined,
  losses: [],
}));
for (const { question, text } of answered) console.log(`${question.id} ${text.trim()}`);
const { directAnswer = [] } = benchmark.score(answered);
const sum = directAnswer.reduce((total, { score }) => total + score, 0);
console.log(`${(100 * (sum / directAnswer.length)).toFixed(1)} % of ${directAnswer.length} questions`);
