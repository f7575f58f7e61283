"""
How far conversations of a model are what transformers alone computes: `check-conversations.py <image> <image> <directory>…` prints
for each the difference of losses, whether ids and labels are the same token by token, and the words that are learned; or why the
trainer refuses the conversation. Here where an answer is, is found by running the processor over the text before and behind it.
"""

import json
import sys
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
from models import Model, token_losses  # noqa: E402
from processors import processor_of  # noqa: E402
from protocol import JobError  # noqa: E402


def turn(role, *content, **marks):
    return {"role": role, "content": [{"text": part} if isinstance(part, str) else part for part in content], **marks}


def samples(one, other):
    one, other = {"image": one}, {"image": other}
    first = [turn("user", one, "Where is the cat?"), turn("assistant", "It is left."), turn("user", "How many?"), turn("assistant", "Three.")]
    return {
        "turns": first,
        "system": [turn("system", "Be brief."), *first],
        "left out": [*first[:1], turn("assistant", "I don't know.", learned=False), *first[2:]],
        "words": [turn("user", "What is red?"), turn("assistant", "A color."), turn("user", "And blue?"), turn("assistant", "Another.")],
        "later image": [
            turn("user", "What is red?"),
            turn("assistant", "A color."),
            turn("user", one, "Where is the cat?"),
            turn("assistant", "It is left."),
            turn("user", other, "And here?"),
            turn("assistant", "It is right."),
        ],
        "several images": [turn("user", one, other, "Which is red?"), turn("assistant", "The first."), *first[2:]],
        "images in words": [turn("user", "One: ", one, " Two: ", other, " Which is red?"), turn("assistant", "The first.")],
    }


@torch.no_grad()
def main(one, other, *directories):
    found = {}
    for directory in directories:
        model, theirs = Model(directory, torch.device("cpu")), Reference(directory)
        found[Path(directory).name] = {name: checked(model, theirs, turns) for name, turns in samples(one, other).items()}
        taken = [turns for name, turns in samples(one, other).items() if "same" in found[Path(directory).name][name]]
        found[Path(directory).name]["batch"] = batch(model, taken) if taken else 0
    print(json.dumps(found))


def checked(model, theirs, turns):
    try:
        sequence = model.family.training({"turns": turns}, 4096)
        inputs, labels = model.family.collate([sequence])
    except (JobError, ValueError) as error:
        return {"refused": str(error)}
    wanted, wanted_labels = theirs.inputs(model.family, turns)
    same = torch.equal(inputs["input_ids"], wanted["input_ids"]) and torch.equal(labels, wanted_labels)
    losses, counted = token_losses(model.scorer, inputs, labels)
    ours = ((losses * counted).sum() / counted.sum()).item()
    theirs_loss = theirs.loss(wanted, wanted_labels)
    learned = model.family.tokenizer.decode(labels[0][labels[0] != -100])
    assert sequence.learned == int((labels != -100).sum())
    return {"same": same, "difference": abs(ours - theirs_loss), "learned": learned}


def batch(model, conversations):
    """The largest difference of a conversation's loss beside others from its loss alone."""
    sequences = [model.family.training({"turns": turns}, 4096) for turns in conversations]

    def means(some):
        losses, counted = token_losses(model.scorer, *model.family.collate(some))
        return ((losses * counted).sum(1) / counted.sum(1)).tolist()

    return max(abs(one - means([sequence])[0]) for one, sequence in zip(means(sequences), sequences))


class Reference:
    """transformers alone."""

    def __init__(self, directory):
        self.processor = processor_of(directory, AutoConfig.from_pretrained(directory))
        self.module = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32).eval()

    def inputs(self, family, turns):
        messages = [
            {"role": turn["role"], "content": [{"type": "text", **part} if "text" in part else {"type": "image"} for part in turn["content"]]}
            for turn in turns
        ]
        text = self.processor.apply_chat_template(messages)
        answers = [turn for turn in turns if turn["role"] == "assistant"]
        end = family.end_mark
        if answers[0]["content"][0]["text"] + end not in text:
            # A template without an end: as LLaVA's own code writes it.
            for turn in answers:
                answer = turn["content"][0]["text"]
                text = text.replace(f"{answer} ", f"{answer}{end}")
        text = text[: text.rindex(end) + len(end)]
        inputs, labels, at = self._processed(text, turns), None, 0
        labels = torch.full_like(inputs["input_ids"], -100)
        for number, turn in enumerate(turns):
            if turn["role"] != "assistant":
                continue
            answer = turn["content"][0]["text"]
            start = text.index(answer, at) - len(family.before_answer)
            at = start + len(family.before_answer) + len(answer) + len(end)
            first, last = (self._processed(text[:place], turns[:number])["input_ids"].shape[1] for place in (start, at))
            if turn.get("learned", True):
                labels[:, first:last] = inputs["input_ids"][:, first:last]
        return inputs, labels

    def loss(self, inputs, labels):
        logits = self.module(**{name: value for name, value in inputs.items() if name != "labels"}).logits[0, :-1]
        return torch.nn.functional.cross_entropy(logits, labels[0, 1:]).item()

    def _processed(self, text, turns):
        files = [part["image"] for turn in turns for part in turn["content"] if "image" in part]
        images = [Image.open(file).convert("RGB") for file in files]
        begin = self.processor.tokenizer.bos_token
        special = begin is None or not text.startswith(begin)
        return self.processor(text=[text], images=[images] if images else None, return_tensors="pt", add_special_tokens=special)


if __name__ == "__main__":
    main(*sys.argv[1:])
