"""Merges an adapter into its base model, and checks the merged model against base and adapter on a few samples."""

import re
import shutil
from pathlib import Path

import torch

from asking import write_asking_files
from models import Model, stored_adapter
from processors import write_image_fields
from protocol import JobError, read_lines

# As src/model/files/companion-files.ts.
OF_WEIGHTS = re.compile(
    r".*\.(safetensors|bin|pth?|ckpt|h5|msgpack|onnx|gguf|npz|npy|pkl|log|tmp)|.*\.index\.json|adapter_.*|(trainer_state|optimizer|scheduler)\b.*|\..*"
)
WRITTEN_ANEW = ("config.json", "generation_config.json")
OF_STEPS = ("manifest.json", "started.json", "job.json", "trainer.pid.json", "fits-in-memory.json")
TEMPLATES = "additional_chat_templates"


def merge(job, reporter, device, sharding):
    # What has to be sharded does not fit one device in float32, and merging takes one process.
    device = torch.device("cpu") if sharding.SHARDED else device
    output = Path(job["output"])
    model = Model(job["model"], device, job.get("family"), adapt=stored_adapter(job["adapter"]), image=job.get("image"))
    wanted = _answers(model, job)
    reporter.progress(1, 3)
    reporter.require_fence()
    output.mkdir(parents=True, exist_ok=True)
    model.module.merge_and_unload().save_pretrained(output)
    family = model.family
    # One model in memory at a time.
    del model
    reporter.require_fence()
    _copy_companions(Path(job["model"]), output)
    write_asking_files(output, family, reporter.note)
    if image := job.get("image"):
        write_image_fields(output, image)
    reporter.progress(2, 3)
    parity = _difference(wanted, _answers(Model(output, device, job.get("family")), job))
    reporter.progress(3, 3)
    if not parity <= job["parity"]["tolerance"]:
        raise JobError(f"{output}: differs from base + adapter by {parity:.2e} on the parity samples")
    names = sorted(str(file.relative_to(output)) for file in output.rglob("*") if file.is_file())
    return names, {"maximumDifference": parity}


def _copy_companions(model, output):
    """Tokenizer, processor, chat templates and license, by whatever names the model has them."""
    templates = (model / TEMPLATES).glob("*.jinja")
    files = [file for file in model.iterdir() if not OF_WEIGHTS.fullmatch(file.name) and file.name not in WRITTEN_ANEW + OF_STEPS]
    for file in filter(Path.is_file, [*files, *templates]):
        target = output / file.relative_to(model)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, target)


@torch.no_grad()
def _answers(model, job):
    """Logits of the answers' tokens."""
    scores = []
    for sample in read_lines(job["parity"]["samples"])[: job["parity"]["count"]]:
        sequence = model.family.training(sample, 4096)
        inputs, labels = model.family.collate([sequence])
        learned = (labels[0] != -100).nonzero()
        kept = labels.shape[1] - int(learned[0]) + 1 if len(learned) else 1
        scores.append(model.scorer("scores", inputs, kept)[0].float().cpu())
    return scores


def _difference(wanted, found):
    """The largest difference of any logit."""
    return max(((one - other).abs().max().item() for one, other in zip(wanted, found, strict=True)), default=0.0)
