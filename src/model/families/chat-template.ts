/** The prompt of a family as a chat template of `transformers`, so that other programs ask a model as it was trained. */
import type { PromptForm } from './prompt-form.ts';

/**
 * A Jinja template that writes the text on which the trainer trains: that of one question or of a conversation with this form.
 * Content is a text, or parts of type `text` and `image`; all images of a turn stand before its words.
 *
 * @param begin what writes the begin token: an expression of Jinja, or undefined where the tokenizer puts it first itself
 */
export function chatTemplate(form: PromptForm, begin: string | undefined): string {
  const { conversation, trimsQuestion } = form;
  if (conversation === undefined) return templateOfOneQuestion(form, begin);
  const [first, answered] = aroundQuestion(form.turnWithoutImage);
  const [later, answeredLater] = aroundQuestion(conversation.laterTurn);
  if (answered !== answeredLater) throw new Error('a later answer is introduced in other words than the first');
  const [beforeSystem, afterSystem] = aroundMark(conversation.system, '{system}');
  const lines = [
    ...openingLines(begin),
    '{%- if message["role"] == "system" -%}',
    `{{- ${quoted(beforeSystem)} + ns.words + ${quoted(afterSystem)} -}}`,
    '{%- elif message["role"] == "user" -%}',
    `{%- if ns.later -%}{{- ${quoted(later)} -}}{%- else -%}{{- ${quoted(first)} -}}{%- endif -%}`,
    '{%- if message["content"] is not string -%}',
    '{%- for part in message["content"] -%}',
    `{%- if part["type"] in ["image", "image_url"] -%}{{- ${quoted(conversation.image)} -}}{%- endif -%}`,
    '{%- endfor -%}',
    '{%- endif -%}',
    `{{- ${trimsQuestion ? 'ns.words.rstrip()' : 'ns.words'} -}}`,
    '{%- set ns.later = true -%}',
    '{%- elif message["role"] == "assistant" -%}',
    `{{- ${quoted(answered + form.answerSeparator)} + ns.words + ${quoted(form.endMark)} -}}`,
    '{%- else -%}',
    '{{- raise_exception("the roles are system, user and assistant") -}}',
    '{%- endif -%}',
    '{%- endfor -%}',
    `{%- if add_generation_prompt -%}{{- ${quoted(answered)} -}}{%- endif -%}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** For a family without a form for conversations: one question, about one image or none, and its answer. */
function templateOfOneQuestion(form: PromptForm, begin: string | undefined): string {
  const [before, after] = aroundQuestion(form.turn);
  const [beforeWithoutImage, afterWithoutImage] = aroundQuestion(form.turnWithoutImage);
  const byImage = (withImage: string, without: string) =>
    `{%- if ns.images == 1 -%}{{- ${quoted(withImage)} -}}{%- else -%}{{- ${quoted(without)} -}}{%- endif -%}`;
  const lines = [
    ...openingLines(begin),
    '{%- if message["role"] == "user" and not ns.later -%}',
    '{%- if message["content"] is not string -%}',
    '{%- for part in message["content"] -%}',
    '{%- if part["type"] in ["image", "image_url"] -%}{%- set ns.images = ns.images + 1 -%}{%- endif -%}',
    '{%- endfor -%}',
    '{%- endif -%}',
    '{%- if ns.images > 1 -%}{{- raise_exception("a question may have one image") -}}{%- endif -%}',
    byImage(before, beforeWithoutImage),
    `{{- ${form.trimsQuestion ? 'ns.words.rstrip()' : 'ns.words'} -}}`,
    '{%- set ns.later = true -%}',
    '{%- elif message["role"] == "assistant" -%}',
    byImage(after, afterWithoutImage),
    `{{- ${quoted(form.answerSeparator)} + ns.words + ${quoted(form.endMark)} -}}`,
    '{%- else -%}',
    '{{- raise_exception("the model takes one question and no system prompt") -}}',
    '{%- endif -%}',
    '{%- endfor -%}',
    `{%- if add_generation_prompt -%}${byImage(after, afterWithoutImage)}{%- endif -%}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The begin token, and the start of the loop over messages: `ns.words` are the words of one. */
function openingLines(begin: string | undefined): string[] {
  return [
    ...(begin === undefined ? [] : [`{{- ${begin} -}}`]),
    '{%- set ns = namespace(words="", later=false, images=0) -%}',
    '{%- for message in messages -%}',
    '{%- set ns.words = "" -%}',
    '{%- if message["content"] is string -%}',
    '{%- set ns.words = message["content"] -%}',
    '{%- else -%}',
    '{%- for part in message["content"] -%}',
    '{%- if part["type"] == "text" -%}{%- set ns.words = ns.words + part["text"] -%}{%- endif -%}',
    '{%- endfor -%}',
    '{%- endif -%}',
  ];
}

function aroundQuestion(turn: string): [string, string] {
  return aroundMark(turn, '{question}');
}

function aroundMark(text: string, mark: string): [string, string] {
  const [before = '', after = ''] = text.split(mark);
  return [before, after];
}

/** A text as a string of Jinja, which reads the escapes of JSON. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
