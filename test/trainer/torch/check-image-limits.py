"""
What limits on images do: `check-image-limits.py <directory> <fields.json> <image>…`, where the file has the fields of a job's
`image` by kind of model, prints how many tokens each image takes: as the model's files say, with the limits, and by a model whose
files have them.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
from chat_family import ChatFamily  # noqa: E402
from models import Model, token_losses  # noqa: E402
from processors import processor_of, write_image_fields  # noqa: E402

QUESTION = "What is the color of the dog?"


@torch.no_grad()
def main(directory, fields, *images):
    print(json.dumps({kind: checked(Path(directory) / kind, image, images) for kind, image in json.loads(Path(fields).read_text()).items()}))


def checked(directory, image, images):
    plain = ChatFamily(directory, AutoConfig.from_pretrained(directory), torch.device("cpu"))
    limited = Model(directory, torch.device("cpu"), image=image)
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "model"
        shutil.copytree(directory, stored)
        write_image_fields(stored, image)
        processor = processor_of(stored, AutoConfig.from_pretrained(stored))
    found = {"before": [], "limited": [], "stored": [], "alike": True, "losses": []}
    for file in images:
        sample = {"prompt": QUESTION, "answer": "red", "image": file}
        before, now = collated(plain, sample), collated(limited.family, sample)
        plain.processor, kept = processor, plain.processor
        after = collated(plain, sample)
        plain.processor = kept
        for name, inputs in (("before", before), ("limited", now), ("stored", after)):
            found[name].append(inputs["input_ids"].shape[1])
        found["alike"] &= all(torch.equal(now[name], after[name]) for name in now) and now.keys() == after.keys()
        losses, counted = token_losses(limited.scorer, *limited.family.collate([limited.family.training(sample, 4096)]))
        found["losses"].append(((losses * counted).sum() / counted.sum()).item())
    return found


def collated(family, sample):
    return family.collate([family.training(sample, 4096)])[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
