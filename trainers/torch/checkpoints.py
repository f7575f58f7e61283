"""Checkpoints of a finetune: adapter, moments of the optimizer and step, the same for any number of processes."""

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor, distribute_tensor

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


def gathered(tensor):
    """The whole of a tensor that may be sharded, in main memory; all processes must ask for it."""
    tensor = tensor.detach()
    whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return whole.cpu().contiguous()


def tensors_of(parameters, optimizer):
    """What a checkpoint holds, the same whoever keeps which part."""
    tensors = {}
    for name, parameter in parameters.items():
        state = optimizer.state[parameter]
        tensors[f"parameter/{name}"] = gathered(parameter)
        tensors[f"first/{name}"] = gathered(state["exp_avg"])
        tensors[f"second/{name}"] = gathered(state["exp_avg_sq"])
    return tensors


def write_checkpoint(folder, job, step, tensors):
    """The record comes last, so a checkpoint that has one is whole."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"torch-{step:08d}.safetensors"
    temporary = file.with_suffix(".tmp")
    save_file(tensors, temporary)
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
    """Puts a checkpoint's tensors, or this process's part of them, into the parameters and the optimizer."""
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(_placed(tensors[f"parameter/{name}"], parameter))
            optimizer.state[parameter] = {
                "step": torch.tensor(float(step)),
                "exp_avg": _placed(tensors[f"first/{name}"], parameter),
                "exp_avg_sq": _placed(tensors[f"second/{name}"], parameter),
            }


def _placed(tensor, parameter):
    """Every process has read the file, so nothing is sent."""
    tensor = tensor.to(parameter.device)
    if not isinstance(parameter, DTensor):
        return tensor
    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements, src_data_rank=None)
