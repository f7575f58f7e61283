"""
What of tiny models of make-family.py gets adapters by part: `check-parts.py <directory> <kind>…` prints, by kind, the layers that
each name of a linear layer adapts, what is saved whole, and what is said where the projection is not known.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForImageTextToText

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
from protocol import JobError  # noqa: E402
from trained_parts import PARTS, saved_modules, target_modules  # noqa: E402


def main(directory, *kinds):
    print(json.dumps({kind: parts_of(Path(directory) / kind) for kind in kinds}))


def parts_of(directory):
    model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(directory))
    linear = {name: name.rpartition(".")[2] for name, one in model.named_modules() if isinstance(one, torch.nn.Linear)}
    found = {part: Counter() for part in PARTS}
    for part in PARTS:
        for last in sorted(set(linear.values())):
            try:
                names = target_modules(model, {part: [last]}).replace("\\.", ".").split("|")
            except JobError:
                continue
            found[part].update(name.split(".")[1] for name in names)
    try:
        refused = saved_modules(model.get_decoder(), ["projection"])
    except JobError as error:
        refused = str(error)
    return {**found, "saved": saved_modules(model, ["projection"]), "refused": refused}


main(*sys.argv[1:])
