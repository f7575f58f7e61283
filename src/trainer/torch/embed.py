"""Embeds images by the model's own vision side, for finding the images nearest to another."""

import json
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file

from models import Model
from protocol import JobError
from sharing import Progress, distributed


@torch.no_grad()
def embed(job, reporter, device, sharding):
    """As src/trainer/jobs/embed/embed.ts: the mean over all places of an image, of length one; `embeddings` `[images, width]`."""
    model = Model(job["model"], device, job.get("family"), sharding=sharding, image=job.get("image"))
    if not hasattr(model.family, "image_inputs"):
        raise JobError(f"{job['model']}: images of this family are embedded by the TensorFlow trainer")
    images = job["images"]
    files = json.loads(Path(images).read_text("utf8")) if isinstance(images, str) else images

    def row_of(file):
        mean = model.scorer("image_features", model.family.image_inputs(file)).float().mean(0)
        return torch.nn.functional.normalize(mean, dim=0).cpu()

    rows = distributed(files, row_of, Progress(reporter, device, len(files)))
    if dist.get_rank() == 0:
        reporter.require_fence()
        save_file({"embeddings": torch.stack(rows)}, job["output"])
    return [job["output"]], {"images": len(files)}
