"""Merges an adapter into its base model, and checks the merged model against base and adapter on a few samples."""

import shutil
from pathlib import Path

import torch

from models import Model, stored_adapter
from protocol import JobError, read_lines

WRITTEN_ANEW = ("config.json", "generation_config.json", "model.safetensors.index.json")


def merge(job, reporter, device, sharding):
    # What has to be sharded does not fit one device in float32, and merging takes one process.
    device = torch.device("cpu") if sharding.SHARDED else device
    output = Path(job["output"])
    model = Model(job["model"], device, job.get("family"), adapt=stored_adapter(job["adapter"]))
    wanted = _answers(model, job)
    reporter.progress(1, 3)
    output.mkdir(parents=True, exist_ok=True)
    model.module.merge_and_unload().save_pretrained(output)
    # One model in memory at a time.
    del model
    for file in Path(job["model"]).iterdir():
        # Tokenizer, processor and chat template, by whatever names the model has them.
        if file.is_file() and file.suffix in (".json", ".jinja", ".txt", ".model") and file.name not in WRITTEN_ANEW:
            shutil.copyfile(file, output / file.name)
    reporter.progress(2, 3)
    parity = _difference(wanted, _answers(Model(output, device, job.get("family")), job))
    reporter.progress(3, 3)
    if not parity <= job["parity"]["tolerance"]:
        raise JobError(f"{output}: differs from base + adapter by {parity:.2e} on the parity samples")
    names = sorted(str(file.relative_to(output)) for file in output.rglob("*") if file.is_file())
    return names, {"maximumDifference": parity}


@torch.no_grad()
def _answers(model, job):
    """Logits of the answers' tokens."""
    scores = []
    for sample in read_lines(job["parity"]["samples"])[: job["parity"]["count"]]:
        sequence = model.family.training(sample, 4096)
        inputs, _ = model.family.collate([sequence])
        scores.append(model.scorer("scores", inputs, sequence.learned + 1)[0].float().cpu())
    return scores


def _difference(wanted, found):
    """The largest difference of any logit."""
    return max(((one - other).abs().max().item() for one, other in zip(wanted, found, strict=True)), default=0.0)
