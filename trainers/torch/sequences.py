"""Samples and questions as token ids. The same ids as training/sequence.ts gives; see there for why."""

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from protocol import JobError


@dataclass(frozen=True)
class PromptForm:
    """datasets/prompt-format.ts"""

    picture_mark: str
    end_mark: str
    answer_separator: str
    together: bool
    turn: str
    turn_without_picture: str


FORMS = {
    "blip-2": PromptForm(
        "<ImageHere>", "###", "", False, "###Human: <Img><ImageHere></Img> {}###Assistant: ", "###Human: {}###Assistant: "
    ),
    "llava": PromptForm("<image>", "</s>", " ", True, "USER: <image>\n{} ASSISTANT:", "USER: {} ASSISTANT:"),
}


@dataclass(frozen=True)
class Sequence:
    ids: list
    has_picture: bool
    # Index of the first token that the loss is on.
    answer_start: int


class Prompts:
    """How a model's prompts become ids."""

    def __init__(self, model_directory, config, picture_tokens):
        if config.model_type not in FORMS:
            raise JobError(f"{model_directory}/config.json: model_type: {config.model_type} is none of {', '.join(FORMS)}")
        self.form = FORMS[config.model_type]
        self.tokenizer = Tokenizer.from_file(f"{model_directory}/tokenizer.json")
        self.picture_id = config.image_token_id if config.image_token_id is not None else config.image_token_index
        self.picture_tokens = picture_tokens
        begin = config.text_config.bos_token_id
        self.begin = 1 if begin is None else begin

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def question_turn(self, question, with_picture):
        turn = self.form.turn if with_picture else self.form.turn_without_picture
        return turn.format(question.rstrip() if self.form.together else question)

    def prompt_ids(self, prompt):
        """Ids of a prompt, places for the picture among them, and whether there are any."""
        places = [self.picture_id] * self.picture_tokens
        if self.form.together:
            ids = self.encode(prompt)
            mark = self.tokenizer.token_to_id(self.form.picture_mark)
            if mark not in ids:
                return [self.begin, *ids], False
            at = ids.index(mark)
            return [self.begin, *ids[:at], *places, *ids[at + 1 :]], True
        before, found, after = prompt.partition(self.form.picture_mark)
        if not found:
            return [self.begin, *self.encode(before)], False
        return [self.begin, *self.encode(before), *places, *self.encode(after)], True

    def answer_ids(self, prompt, answer):
        text = self.form.answer_separator + answer
        if not self.form.together:
            return self.encode(text)
        start, whole = self.encode(prompt), self.encode(prompt + text)
        same = next((at for at, token in enumerate(start) if at >= len(whole) or whole[at] != token), len(start))
        return whole[same:]

    def training(self, prompt, answer, maximum_tokens):
        """Loss on the answer and the end mark only; None where the limit leaves no answer."""
        ids, has_picture = self.prompt_ids(prompt)
        limit = maximum_tokens + (self.picture_tokens if has_picture else 0)
        if len(ids) >= limit:
            return None
        answered = [*ids, *self.answer_ids(prompt, answer + self.form.end_mark)]
        return Sequence(answered[:limit], has_picture, len(ids))


def collate(sequences, pad, device):
    """input_ids, attention_mask `[batch, tokens]` int64, padded to the right, and labels with -100 off the answers."""
    length = max(len(sequence.ids) for sequence in sequences)
    ids = torch.full((len(sequences), length), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for row, sequence in enumerate(sequences):
        count = len(sequence.ids)
        ids[row, :count] = torch.tensor(sequence.ids)
        mask[row, :count] = 1
        labels[row, sequence.answer_start : count] = ids[row, sequence.answer_start : count]
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}, labels.to(device)
