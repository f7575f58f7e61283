"""
Ranking and writing that compute nothing twice, for the built-in families, whose language models look back only: what the
choices of a question have in common, its image above all, once, and of a written answer each token once.
"""

from dataclasses import replace

import torch

from built_in_conversations import common_start
from protocol import any_rank


def losses_of_answers(model, asked, batch_size):
    """
    The mean loss of each answer's learned tokens, for questions that all have an image or all have none: `asked` has the sequences
    of each. None where an image is not in what a question's answers have in common.
    """
    family, scorer = model.family, model.scorer
    prompts = [_common_prompt(sequences, family.image_id) for sequences in asked]
    if any(prompt is None for prompt in prompts):
        return None
    inputs = padded_left(family.collate(prompts)[0])
    _, cache = scorer("started", inputs)
    rows = [(at, sequence) for at, sequences in enumerate(asked) for sequence in sequences]
    found = []
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        of = torch.tensor([at for at, _ in part], device=family.device)
        rests = [_behind(sequence, len(prompts[at].ids)) for at, sequence in part]
        given, labels = family.collate(rests)
        mask = torch.cat([inputs["attention_mask"][of], given["attention_mask"]], 1)
        scores = scorer("continued", given["input_ids"], mask, selected(cache, of))[:, :-1].float()
        targets = labels[:, 1:]
        losses = torch.nn.functional.cross_entropy(scores.transpose(1, 2), targets, ignore_index=-100, reduction="none")
        found += (losses.sum(1) / (targets != -100).sum(1)).tolist()
    answers = iter(found)
    return [[next(answers) for _ in sequences] for sequences in asked]


def _common_prompt(sequences, image_id):
    """What all begin with, but for the last token before the loss: its scores are computed with the answers."""
    first = sequences[0]
    common = min(one.answer_start for one in sequences)
    for other in sequences[1:]:
        common = min(common, common_start(first.ids, other.ids))
    common -= 1
    if common < 1 or (first.image and image_id in first.ids[common:]):
        return None
    return replace(first, ids=first.ids[:common], answer_start=common)


def _behind(sequence, length):
    return replace(sequence, ids=sequence.ids[length:], answer_start=sequence.answer_start - length, image=None, later_images=())


def written_texts(model, asked):
    """
    Greedily, up to the end mark, for questions that all have an image or all have none: `asked` has the prompt of each, and the most
    tokens that may be written. With a sharded model all processes compute until the last has its answers.
    """
    family, scorer, sharded = model.family, model.scorer, model.sharded
    inputs = padded_left(family.collate([prompt for prompt, _ in asked])[0])
    mask = inputs["attention_mask"]
    scores, cache = scorer("started", inputs)
    answers = [WrittenAnswer(family, maximum) for _, maximum in asked]
    while True:
        tokens = scores.argmax(-1)
        for answer, token in zip(answers, tokens.tolist(), strict=True):
            answer.add(token)
        unfinished = any(answer.text is None for answer in answers)
        if not (any_rank(unfinished, family.device) if sharded else unfinished):
            return [answer.text.strip() for answer in answers]
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], 1)
        scores = scorer("continued", tokens[:, None], mask, cache)[:, -1]


class WrittenAnswer:
    """Tokens as they are written; `text` once the answer has ended."""

    def __init__(self, family, maximum):
        self.family, self.maximum = family, maximum
        self.ids, self.text = [], None

    def add(self, token):
        if self.text is not None:
            return
        self.ids.append(token)
        decode, end_mark = self.family.tokenizer.decode, self.family.form["endMark"]
        so_far = decode(self.ids, skip_special_tokens=False)
        if end_mark in so_far:
            self.text = so_far.split(end_mark)[0]
        elif token in self.family.ends:
            self.text = decode(self.ids[:-1], skip_special_tokens=False)
        elif len(self.ids) == self.maximum:
            self.text = so_far


def padded_left(inputs):
    """Inputs that are padded on the right, with the padding moved to the left, so that what follows lies behind every row."""
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    shifts = (mask.shape[1] - mask.sum(1)).tolist()
    rolled = {
        name: torch.stack([row.roll(shift) for row, shift in zip(values, shifts, strict=True)])
        for name, values in (("input_ids", ids), ("attention_mask", mask))
    }
    return inputs | rolled


def selected(cache, rows):
    """A copy of a cache with these of its rows."""
    layers = [(layer.keys[rows], layer.values[rows]) for layer in cache.layers]
    return type(cache)(layers)
