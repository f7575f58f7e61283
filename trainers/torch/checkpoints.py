"""Checkpoints of a finetune: adapter, moments of the optimizer and step, the same for any number of processes."""

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from protocol import write_atomically

KEPT = 2


def job_hash(job, samples, order):
    """What a checkpoint belongs to: the job without its paths; the same data elsewhere is the same job."""
    left_out = {"model", "output", "samples", "order", "startAdapter", "checkpointEverySteps"}
    texts = [[one["id"], one["prompt"], one["answer"], os.path.basename(one.get("picture") or "")] for one in samples]
    start = job.get("startAdapter")
    content = {
        "job": {key: value for key, value in job.items() if key not in left_out},
        "model": _hash_of_files(Path(job["model"]).glob("*.safetensors")),
        "start": _hash_of_files([Path(start, "adapter_model.safetensors")]) if start else None,
        "samples": texts,
        "order": order,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _hash_of_files(files):
    return [_hash(file) for file in sorted(files)]


def _hash(file):
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_checkpoint(folder, job, step, parameters, optimizer):
    """The record comes last, so a checkpoint that has one is whole."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, parameter in parameters.items():
        state = optimizer.state[parameter]
        tensors[f"parameter/{name}"] = parameter.detach()
        tensors[f"first/{name}"] = state["exp_avg"]
        tensors[f"second/{name}"] = state["exp_avg_sq"]
    file = folder / f"torch-{step:08d}.safetensors"
    temporary = file.with_suffix(".tmp")
    save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, temporary)
    os.replace(temporary, file)
    record = {"step": step, "jobHash": job, "sha256": _hash(file)}
    write_atomically(file.with_suffix(".json"), f"{json.dumps(record)}\n".encode())
    for old in sorted(folder.glob("torch-*.safetensors"))[:-KEPT]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()
    return str(file)


def read_newest_checkpoint(folder, job, note):
    """Step and tensors of the newest whole checkpoint of the job, or None. A damaged one is passed over."""
    for file in sorted(Path(folder).glob("torch-*.safetensors"), reverse=True):
        try:
            record = json.loads(file.with_suffix(".json").read_text("utf8"))
            if record["jobHash"] != job:
                note(f"{file}: belongs to another job, not used")
                continue
            if _hash(file) != record["sha256"]:
                raise ValueError("its hash is wrong")
            return record["step"], load_file(file)
        except (OSError, ValueError, KeyError) as error:
            note(f"{file}: damaged ({error}); the checkpoint before it is used")
    return None


def restore(tensors, step, parameters, optimizer):
    """Puts a checkpoint's tensors into the parameters and the optimizer."""
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"parameter/{name}"])
            optimizer.state[parameter] = {
                "step": torch.tensor(float(step)),
                "exp_avg": tensors[f"first/{name}"].to(parameter.device),
                "exp_avg_sq": tensors[f"second/{name}"].to(parameter.device),
            }
