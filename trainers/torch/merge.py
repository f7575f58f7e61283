"""Merges an adapter into its base model, and checks the merged model against base and adapter on a few samples."""

import shutil
from pathlib import Path

import torch

from models import Model, logits, with_adapter
from protocol import JobError, read_lines
from sequences import collate

TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "preprocessor_config.json", "processor_config.json", "*.jinja")


def merge(job, reporter, device):
    output = Path(job["output"])
    model = Model(job["model"], device)
    wanted = _answers(with_adapter(model, job["adapter"]), model, job)
    reporter.progress(1, 3)
    merged = with_adapter(Model(job["model"], device), job["adapter"]).merge_and_unload()
    output.mkdir(parents=True, exist_ok=True)
    merged.save_pretrained(output)
    for pattern in TOKENIZER_FILES:
        for file in Path(job["model"]).glob(pattern):
            shutil.copyfile(file, output / file.name)
    reporter.progress(2, 3)
    written = Model(output, device)
    parity = _difference(wanted, _answers(written.module, written, job))
    reporter.progress(3, 3)
    if not parity <= job["parity"]["tolerance"]:
        raise JobError(f"{output}: differs from base + adapter by {parity:.2e} on the parity samples")
    names = sorted(str(file.relative_to(output)) for file in output.rglob("*") if file.is_file())
    return names, {"maximumDifference": parity}


@torch.no_grad()
def _answers(module, model, job):
    scores = []
    for sample in read_lines(job["parity"]["samples"])[: job["parity"]["count"]]:
        sequence = model.prompts.training(sample["prompt"], sample["answer"], 4096)
        batch, _ = collate([sequence], model.pad, model.device)
        pixels = model.pixels([sample["picture"]] if sample.get("picture") else [])
        scores.append(logits(module, batch, pixels)[0, sequence.answer_start - 1 :].float().cpu())
    return scores


def _difference(wanted, found):
    """The largest difference of any logit."""
    return max(((one - other).abs().max().item() for one, other in zip(wanted, found, strict=True)), default=0.0)
