"""
How sequences are cut: `check-sequence-limit.py <directory> <image> <kind>…` prints, by kind, whether the tokens that are counted
without opening an image are those of its processor, and what a limit leaves.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoConfig

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
from chat_family import ChatFamily  # noqa: E402
from models import CHAT_FAMILIES  # noqa: E402
from protocol import JobError  # noqa: E402


def main(directory, image, *kinds):
    print(json.dumps({kind: checked(Path(directory) / kind, image) for kind in kinds}))


def checked(directory, image):
    config = AutoConfig.from_pretrained(directory)
    family = CHAT_FAMILIES.get(config.model_type, ChatFamily)(directory, config, torch.device("cpu"))
    sequence = family.training({"prompt": "What is the color of the dog?", "answer": "It is left of the chair.", "image": image}, 4096)
    whole, behind = family._whole_length(sequence)
    tokens, _ = shape(family, [sequence])
    cut, beyond = family.within(sequence, whole - 3)
    found = {"counted": whole, "tokens": tokens, "beyond": beyond, "cut": shape(family, [cut]), "learned": sequence.learned}
    # As long as the words before the answer: nothing is learned.
    found["unlearned"] = shape(family, [family.within(sequence, whole - sequence.learned)[0]])
    try:
        family.within(sequence, whole - behind)
    except JobError as error:
        found["refused"] = str(error)
    return found


def shape(family, sequences):
    inputs, labels = family.collate(sequences)
    assert inputs["input_ids"].shape == inputs["attention_mask"].shape == labels.shape
    return labels.shape[1], int((labels != -100).sum())


if __name__ == "__main__":
    main(*sys.argv[1:])
