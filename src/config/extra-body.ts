/**
 * Fields that `teacher.extraBody` may add to a request. A list of what is known to change nothing but the answer's words: a
 * gateway may take fields by which it asks another host, or with another key, and nobody knows the fields of all gateways.
 */
import { z } from 'zod';
import { describeIssue } from '../core/describe-issue.ts';

/** What may be sent, and the servers that take it. */
const sampled = {
  OpenAI: ['seed', 'presence_penalty', 'frequency_penalty', 'reasoning_effort', 'verbosity'],
  // How a model thinks, and whether its thoughts are part of the answer.
  'vLLM, SGLang, llama.cpp, OpenRouter, DeepSeek, Qwen': [
    ...['reasoning', 'include_reasoning', 'separate_reasoning', 'reasoning_format', 'thinking', 'enable_thinking'],
    ...['thinking_budget', 'chat_template_kwargs'],
  ],
  'vLLM, SGLang, llama.cpp': [
    ...['top_k', 'top_a', 'min_p', 'typical_p', 'repetition_penalty', 'repeat_penalty', 'repeat_last_n'],
    ...['length_penalty', 'min_tokens', 'stop_token_ids', 'allowed_token_ids', 'bad_words', 'ignore_eos'],
    ...['skip_special_tokens', 'spaces_between_special_tokens', 'include_stop_str_in_output', 'no_stop_trim'],
    ...['mirostat', 'mirostat_tau', 'mirostat_eta', 'xtc_probability', 'xtc_threshold'],
    ...['dry_multiplier', 'dry_base', 'dry_allowed_length'],
  ],
  // The form of the answer, for servers that take no `response_format`.
  'vLLM, SGLang, llama.cpp: form': [
    ...['guided_json', 'guided_regex', 'guided_choice', 'guided_grammar', 'guided_decoding_backend'],
    ...['guided_whitespace_pattern', 'structured_outputs', 'regex', 'ebnf', 'grammar', 'json_schema'],
  ],
};

/** The fields that may be sent. */
export const extraFields: readonly string[] = Object.values(sampled).flat();

/** Why a field may not be sent, for those that somebody may want to. */
const refused: readonly [fields: readonly string[], why: string][] = [
  [
    ['model', 'messages', 'max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'stop', 'logit_bias'],
    'is set by the other keys of teacher',
  ],
  [['store', 'metadata', 'response_format'], 'is set by the other keys of teacher'],
  [
    ['n', 'best_of', 'use_beam_search', 'prediction', 'service_tier', 'logprobs', 'top_logprobs'],
    'changes what a request costs, and the budget counts one answer at the usual price',
  ],
  [['stream', 'stream_options'], 'has the answer come in pieces, and it is read as a whole'],
  [
    [
      ...['tools', 'tool_choice', 'parallel_tool_calls', 'functions', 'function_call', 'mcp_servers'],
      ...['web_search_options', 'enable_search', 'search_options', 'plugins', 'data_sources'],
    ],
    'lets the teacher call tools or other hosts, which a text in a caption could then use',
  ],
  [['modalities', 'audio'], 'asks for another answer than a text'],
  [
    ['models', 'route', 'provider', 'fallbacks', 'transforms', 'user_config', 'custom_llm_provider'],
    'lets a gateway choose who gets the prompts and answers',
  ],
  [
    ['api_base', 'base_url', 'api_key', 'api_version', 'headers', 'extra_headers', 'extra_query', 'extra_body'],
    'lets a gateway ask another host or with another key; use teacher.baseUrl and teacher.apiKeyVariable',
  ],
  [['user', 'safety_identifier'], 'names a person to the provider, and a run is nobody'],
  [
    ['prompt_cache_key', 'prompt_cache_retention', 'cache_control', 'cache_salt'],
    'has the provider keep prompts for longer, or under a name',
  ],
  [
    [
      ...['chat_template', 'documents', 'add_generation_prompt', 'continue_final_message', 'add_special_tokens'],
      ...['echo', 'truncate_prompt_tokens', 'mm_processor_kwargs', 'prompt', 'input'],
    ],
    'changes the prompt, on which the answers that are kept and the count of tokens depend',
  ],
  [['priority', 'request_id'], "places a request before those of the server's other users, or in their place"],
];

const reasons = new Map(refused.flatMap(([fields, why]) => fields.map((field) => [field, why])));

/** Arguments of a chat template that vLLM would take as its own: the template itself, and what goes into it. */
const ownArguments = [
  ...['chat_template', 'conversation', 'messages', 'tools', 'documents', 'tokenize', 'padding', 'truncation'],
  ...['max_length', 'return_tensors', 'return_dict', 'tokenizer_kwargs', 'add_generation_prompt'],
  ...['continue_final_message'],
];
const templateArguments = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null()], { error: 'must be a text, a number, true or false' }),
);

/** `teacher.extraBody`: allowed fields by name; null leaves one out. */
export const extraBodySchema = z.record(z.string(), z.json()).superRefine((body, context) => {
  const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  for (const field of Object.keys(body)) {
    if (extraFields.includes(field)) continue;
    const why = reasons.get(field) ?? 'is not known to change nothing but the words of an answer';
    refuse([field], `can't be sent by extraBody: it ${why}. Fields that can are listed in docs/teacher.md`);
  }
  const template = body.chat_template_kwargs ?? {};
  const parsed = templateArguments.safeParse(template);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const { path, problem } = describeIssue(issue);
      refuse(['chat_template_kwargs', ...path.map(String)], problem);
    }
    return;
  }
  for (const name of Object.keys(parsed.data).filter((one) => ownArguments.includes(one))) {
    refuse(['chat_template_kwargs', name], "is an argument of the server's own, not of a model's template");
  }
});
