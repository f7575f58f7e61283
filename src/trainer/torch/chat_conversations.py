"""Conversations in the words of a model's chat template, and which of their tokens are learned."""

from dataclasses import dataclass

import jinja2

from built_in_conversations import common_start, words_of
from protocol import JobError


@dataclass(frozen=True)
class Anchor:
    """
    The text of a conversation up to a turn with images. How many tokens an image takes, only the processor knows: places before
    one are counted from the end of this text.
    """

    text: str
    images: int


@dataclass(frozen=True)
class Span:
    """Learned tokens, counted from the end of an anchor, or of the whole text where that is none."""

    anchor: Anchor | None
    start: int
    end: int


def conversation(family, turns, maximum_tokens):
    """
    Text, files of images, spans, how many tokens are past the limit, how many of those the text ends with, and how many tokens are
    left out of it. The text ends with the last answer of which something is learned.
    """
    text, answers = _rendered(family, turns)
    special = family.adds_special_tokens(text)

    def tokens(part):
        return family.tokenizer(part, add_special_tokens=special)["input_ids"]

    whole = tokens(text)

    def place(characters):
        return common_start(tokens(text[:characters]), whole)

    limit = _tokens_of_family(family, turns, tokens) + maximum_tokens
    ranges = [(place(start), place(end)) for start, end, _ in answers]
    kept = [number for number, (_, _, is_learned) in enumerate(answers) if is_learned and ranges[number][0] < limit]
    count = kept[-1] + 1 if kept else 1
    end = ranges[count - 1][1]
    shown, exchanges = _shown(turns, count)
    spans = []
    anchors = _anchors(exchanges, text, answers)
    for number in kept:
        anchor, (first, last) = anchors[number], ranges[number]
        ends = end if anchor is None else place(len(anchor.text))
        spans.append(Span(anchor, ends - first, ends - min(last, limit)))
    return text[: answers[count - 1][1]], shown, tuple(spans), max(0, len(whole) - limit), max(0, end - limit), len(whole) - end


def rendered_conversation(family, turns, open_end=False):
    """
    The text of a whole conversation as it is learned; one that ends with a question, up to where its answer starts. `open_end`:
    one that ends with an answer, up to the end of its words, as transformers has it by `continue_final_message`.
    """
    if [turn["role"] for turn in turns] in (["user"], ["user", "assistant"]):
        # As single samples are learned and evaluated.
        turns = [{**turns[0], "content": _stripped(turns[0]["content"])}, *turns[1:]]
    if turns[-1]["role"] == "assistant":
        text, answers = _rendered(family, turns)
        words = "".join(part.get("text", "") for part in turns[-1]["content"]).strip()
        start = text.find(words, answers[-1][0]) if open_end else -1
        return text[: start + len(words)] if start >= 0 else text
    if len(turns) == 1:
        return family.rendered([family.message("user", turns[0]["content"])], add_generation_prompt=True)
    text, answers = _rendered(family, [*turns, {"role": "assistant", "content": [{"text": "ANSWER"}]}])
    return text[: answers[-1][0]]


def _stripped(content):
    """A single question is learned without the blanks around it."""
    words = [part for part in content if "text" in part]
    return [{"text": part["text"].strip()} if len(words) == 1 and "text" in part else part for part in content]


def _shown(turns, count):
    """Files of the images of the first exchanges; of each exchange how many it shows, and how many come before it."""
    files, exchanges = [], []
    for turn in turns:
        if turn["role"] == "user" and len(exchanges) < count:
            own = [part["image"] for part in turn["content"] if "image" in part]
            exchanges.append((len(own), len(files)))
            files += own
    return files, exchanges


def _rendered(family, turns):
    """
    The text, and where each answer with what ends it starts and ends in it. The template renders the start of the conversation
    up to each answer: what it renders of more must begin with that.
    """
    messages = [family.message(turn["role"], turn["content"]) for turn in turns]
    done, text, answers = "", "", []
    for number, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        try:
            prompt = family.rendered(messages[:number], add_generation_prompt=True)
            until = family.rendered(messages[: number + 1])
        except (jinja2.TemplateError, TypeError) as error:
            raise JobError(f"turns[{number}]: the model's chat template takes no such turn: {error}") from error
        answer = family.before_answer + family.plain(words_of(turn))
        if not prompt.startswith(done) or not until.startswith(prompt + answer):
            raise JobError(
                f"turns[{number}]: the model's chat template writes the start of a conversation in another way once more follows, "
                "so that its answers can't be located. Train on single exchanges without a system prompt"
            )
        after = until[len(prompt + answer) :]
        ends = after.lstrip().startswith(family.end_mark)
        # A template without an end mark, as LLaVA's: the end token follows each answer, as in its own training.
        between = prompt[len(done) :]
        text += between if not answers or ends else between.lstrip()
        start = len(text)
        text += answer + family.end_mark
        answers.append((start, len(text), turn.get("learned", True)))
        done = prompt + answer + (after[: after.index(family.end_mark)] + family.end_mark if ends else "")
    return text, answers


def _anchors(exchanges, text, answers):
    """For each exchange, the text before the next one that shows an image; none where no such one follows."""
    found, anchor = [], None
    for number in reversed(range(len(exchanges))):
        found.append(anchor)
        images, before = exchanges[number]
        if images and number:
            anchor = Anchor(text[: answers[number - 1][1]], before)
    return found[::-1]


def _tokens_of_family(family, turns, tokens):
    """How many tokens the template has before the question of a conversation without a system prompt of its own."""
    turn = next(turn for turn in turns if turn["role"] == "user")
    first = next(part["text"] for part in turn["content"] if "text" in part)
    prompt = family.rendered([family.message("user", turn["content"])], add_generation_prompt=True)
    whole = tokens(prompt)
    return common_start(tokens(prompt.partition(family.plain(first))[0]), whole)
