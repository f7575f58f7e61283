"""
How often images are opened and prepared while families of transformers rank choices: `count-choices.py <image> <image> <directory>…`
prints, by directory, both counts for a question about one image and one about two, or why the family takes no two, and how far
losses are from those found with each choice's images prepared for it alone.
"""

import json
import sys
from pathlib import Path

import torch
from transformers.image_processing_utils import BaseImageProcessor
from transformers.image_utils import make_flat_list_of_images

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
import chat_family  # noqa: E402
import images  # noqa: E402
from evaluate import _losses  # noqa: E402
from models import Model  # noqa: E402
from protocol import JobError  # noqa: E402

ANSWERS = ["red", "It is left of the chair.", "two of them"]
work = {"opened": 0, "prepared": 0}


def opened(file, read=images.read_image):
    work["opened"] += 1
    return read(file)


def prepared(processor, shown, *given, usual=BaseImageProcessor.__call__, **named):
    work["prepared"] += len(make_flat_list_of_images(shown))
    return usual(processor, shown, *given, **named)


@torch.no_grad()
def main(one, other, *directories):
    images.read_image, BaseImageProcessor.__call__ = opened, prepared
    print(json.dumps({Path(directory).name: counted(directory, one, other) for directory in directories}))


def counted(directory, one, other):
    model = Model(directory, torch.device("cpu"))
    found = {"single": ranked(model, one)}
    try:
        model.family.check_images(2)
        found["both"] = ranked(model, one, other)
    except JobError as error:
        found["both"] = str(error)
    return found


def ranked(model, image, *later):
    question = {"question_id": "1", "question": "What is it?", "answerStart": "", "answers": ANSWERS}
    question |= {"image": image, "laterImages": list(later)}
    work.update(opened=0, prepared=0)
    # In two parts.
    losses = _losses(question, model, 2)
    counts = dict(work)
    shown, model.family.opened = chat_family.shown_part, {}
    chat_family.shown_part = lambda opened, _file, _crop: opened.copy()
    try:
        alone = [_losses({**question, "answers": [answer]}, model, 1)[0] for answer in ANSWERS]
    finally:
        chat_family.shown_part = shown
    return counts | {"difference": max(abs(a - b) for a, b in zip(losses, alone, strict=True))}


if __name__ == "__main__":
    main(*sys.argv[1:])
