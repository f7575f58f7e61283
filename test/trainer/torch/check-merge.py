"""
Holds a merged model against PEFT's `merge_and_unload`, in the type of the base model's config:
`check-merge.py <base> <adapter> <merged>` prints how many values there are, how many differ, and by how many steps of the type.
"""

import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText

BITS = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.float16: torch.int16}


def loaded(directory):
    return AutoModelForImageTextToText.from_pretrained(directory, dtype="auto")


def places(values):
    """Numbers of one type in their order, counted from zero: neighbors differ by one."""
    bits = values.contiguous().view(BITS[values.dtype]).long()
    return torch.where(bits < 0, torch.iinfo(BITS[values.dtype]).min - bits, bits)


base, adapter, merged = sys.argv[1:]
wanted = PeftModel.from_pretrained(loaded(base), adapter).merge_and_unload().state_dict()
found = loaded(merged).state_dict()
assert wanted.keys() == found.keys(), wanted.keys() ^ found.keys()
assert all(found[name].dtype == value.dtype for name, value in wanted.items())
floats = [name for name, value in wanted.items() if value.dtype in BITS]
steps = torch.cat([(places(wanted[name]) - places(found[name])).abs().flatten() for name in floats])
near = torch.cat([(wanted[name].float() - found[name].float()).abs().flatten() for name in floats])
print(
    json.dumps(
        {
            "values": len(steps),
            "differ": int((steps > 0).sum()),
            "steps": int(steps.max()),
            "difference": near.max().item(),
            "dtypes": sorted({str(found[name].dtype) for name in floats}),
        }
    )
)
