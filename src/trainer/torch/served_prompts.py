"""What a model reads of a conversation: the words of its family or of its chat template, as it was trained with them."""

import jinja2

from built_in_conversations import conversation_ids, words_of
from built_in_family import BuiltInFamily, Sequence
from chat_conversations import rendered_conversation
from protocol import JobError


def prompt_of(family, turns, answers, open_end=False):
    """
    The model's inputs for a conversation of one sequence, and what it writes before an answer. `answers`: an answer is to be
    written behind it. `open_end`: an answer that it ends with has no end mark.
    """
    _require_order(turns, answers)
    if isinstance(family, BuiltInFamily):
        return _built_in(family, turns, open_end), family.form["answerSeparator"]
    files = [part["image"] for turn in turns for part in turn["content"] if "image" in part]
    family.check(files[0] if files else None)
    family.check_turns(turns)
    try:
        text = rendered_conversation(family, turns, open_end)
    except (jinja2.TemplateError, TypeError) as error:
        raise JobError(f"messages: the model's chat template takes no such conversation: {error}") from error
    return family.inputs_of(text, files), family.before_answer


def _built_in(family, turns, open_end):
    if family.writing_problem:
        raise JobError(family.writing_problem)
    files = tuple(part["image"] for turn in turns for part in turn["content"] if "image" in part)
    if family.form.get("conversation"):
        ids = conversation_ids(family, turns, open_end)
    elif len(turns) == 1 and turns[0]["role"] == "user" and len(files) < 2:
        ids = family.prompt_ids(family.turn(words_of(turns[0]), files[0] if files else None))
    else:
        raise JobError("messages: have several turns, a system prompt or several images, which the words of this model are not known for. Ask one question about one image")
    first, later = (files[0], files[1:]) if files else (None, ())
    inputs, _ = family.collate([Sequence(ids, first, len(ids), later_images=later)])
    return inputs


def _require_order(turns, answers):
    first = 1 if turns and turns[0]["role"] == "system" else 0
    for number, turn in enumerate(turns):
        wanted = "system" if number < first else "assistant" if (number - first) % 2 else "user"
        if turn["role"] != wanted:
            raise JobError(f"messages[{number}]: is of the {turn['role']}, where one of the {wanted} is expected. Let user and assistant take turns")
        if turn["role"] != "user" and any("image" in part for part in turn["content"]):
            raise JobError(f"messages[{number}]: is of the {turn['role']} and has an image. Show images in turns of the user")
    if len(turns) <= first or (answers and turns[-1]["role"] != "user"):
        raise JobError(f"messages[{max(0, len(turns) - 1)}]: is no question of the user. End with a turn of the user")
