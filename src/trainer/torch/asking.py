"""
How a merged model is asked, in the files that transformers and servers read: chat_template.jinja and generation_config.json. Of the
built-in families the job's caller writes them (src/model/files/asking-files.ts).
"""

import json
from string import Template

import jinja2

from chat_family import ChatFamily
from protocol import JobError

# As src/model/files/asking-files.ts.
OF_SAMPLING = (
    *("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"),
    *("num_beams", "num_beam_groups", "diversity_penalty", "length_penalty", "early_stopping", "num_return_sequences"),
    "_from_model_config",
)

# The model's own template with what ends an answer behind each: it renders the conversation up to each answer, as training does.
ENDED = Template("""{% macro own(messages, add_generation_prompt) %}${own}{% endmacro %}
{%- set ns = namespace(done="", words="", ended=false) -%}
{%- for message in messages -%}
{%- if message["role"] == "assistant" -%}
{%- set ns.words = "" -%}
{%- if message["content"] is string -%}
{%- set ns.words = message["content"] -%}
{%- else -%}
{%- for part in message["content"] -%}
{%- if part["type"] == "text" -%}{%- set ns.words = ns.words + part["text"] -%}{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- set prompt = own(messages[:loop.index0], true) -%}
{%- set between = prompt[ns.done | length:] -%}
{%- if ns.ended -%}{{- between.lstrip() -}}{%- else -%}{{- between -}}{%- endif -%}
{{- ${before} + ns.words + ${end} -}}
{%- set ns.done = prompt + ${before} + ns.words -%}
{%- set ns.ended = true -%}
{%- endif -%}
{%- endfor -%}
{%- set rest = own(messages, add_generation_prompt)[ns.done | length:] -%}
{%- if ns.ended -%}{{- rest.lstrip() -}}{%- else -%}{{- rest -}}{%- endif -%}""")

PROBE = [
    {"role": "user", "content": [{"text": "QUESTION"}]},
    {"role": "assistant", "content": [{"text": "ANSWER"}]},
    {"role": "user", "content": [{"text": "ANOTHER"}]},
    {"role": "assistant", "content": [{"text": "LAST"}]},
]


def write_asking_files(directory, family, note):
    """Into a model's directory with all its companion files. `note` gets a word about a template that is not that of training."""
    if not isinstance(family, ChatFamily):
        return
    template, others = _own_templates(family.processor)
    if not _as_learned(family, template):
        ended = ENDED.substitute(own=template, before=json.dumps(family.before_answer), end=json.dumps(family.end_mark))
        if _as_learned(family, ended):
            template = ended
        else:
            note("chat_template.jinja writes several turns in another way than they are trained on; single questions are alike")
    (directory / "chat_template.jinja").write_text(template, "utf8")
    # Where it is, transformers reads it instead.
    (directory / "chat_template.json").unlink(missing_ok=True)
    for name, text in others.items():
        (directory / "additional_chat_templates").mkdir(exist_ok=True)
        (directory / "additional_chat_templates" / f"{name}.jinja").write_text(text, "utf8")
    for name in ("processor_config.json", "tokenizer_config.json"):
        if (directory / name).exists():
            _change(directory / name, lambda content: {key: value for key, value in content.items() if key != "chat_template"})
    _change(directory / "generation_config.json", lambda content: _greedy(content, family))


def _own_templates(processor):
    """The template that is used by default, and those with another name."""
    own = processor.chat_template
    if isinstance(own, str):
        return own, {}
    return own["default"], {name: text for name, text in own.items() if name != "default" and name.replace("_", "").isalnum()}


def _as_learned(family, template):
    """Whether a template writes two exchanges, with and without a system prompt, as they are learned."""
    system = {"role": "system", "content": [{"text": "SYSTEM"}]}
    return all(_writes(family, template, turns) for turns in (PROBE, [system, *PROBE]))


def _writes(family, template, turns):
    try:
        learned = family.conversation(turns, 4096).text
    except JobError:
        # Nothing of this kind is learned.
        return True
    messages = [family.message(turn["role"], turn["content"]) for turn in turns]
    try:
        whole = family.rendered(messages, chat_template=template)
        asked = family.rendered(messages[:-1], chat_template=template, add_generation_prompt=True)
    except (jinja2.TemplateError, TypeError):
        return False
    last = f"{family.before_answer}{turns[-1]['content'][0]['text']}{family.end_mark}"
    return whole.rstrip() == learned.rstrip() and learned == asked + last


def _greedy(content, family):
    kept = {name: value for name, value in content.items() if name not in OF_SAMPLING}
    ends = family.ends
    return {
        **kept,
        "eos_token_id": ends[0] if len(ends) == 1 else ends,
        "pad_token_id": family.tokenizer.pad_token_id,
        "do_sample": False,
    }


def _change(file, change):
    content = json.loads(file.read_text("utf8")) if file.exists() else {}
    file.write_text(f"{json.dumps(change(content), indent=2, ensure_ascii=False)}\n", "utf8")
