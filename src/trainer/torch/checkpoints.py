"""Checkpoints of a finetune: adapter, moments of the optimizer, loss curve and step, the same for any number of processes."""

import hashlib
import json
import os
import threading
from concurrent.futures import Future
from pathlib import Path

from safetensors.torch import load_file, save_file

from file_hashes import hash_of
from protocol import TRAINER_VERSION, read_lines, write_atomically
from validation import Validated

KEPT = 2
# What there is of each parameter.
PARTS = ("parameter", "first", "second")
# The parameters of the state with the best validation score.
BEST = "best"


# Of a job: its paths, and what changes no result.
PATHS = {"model", "fence", "output", "samples", "order", "startAdapter"}
OF_SPEED = {"checkpointEverySteps", "imageWorkers", "imageCacheGigabytes"}


def job_hash(job, samples, order, hashes):
    """What a checkpoint belongs to: the job without its paths; the same data elsewhere is the same job. `hashes`: `FileHashes`."""
    left_out = {*PATHS, *OF_SPEED, "preference", "validation", "validationLoss"}
    start = job.get("startAdapter")
    content = {
        "version": TRAINER_VERSION,
        "job": {key: value for key, value in job.items() if key not in left_out},
        "model": [hashes.of(file) for file in sorted(Path(job["model"]).glob("*.safetensors"))],
        "start": _hash_of_adapter(start, hashes),
        "samples": _texts(samples),
        "order": order,
    }
    if validation := job.get("validation"):
        questions = [{**one, "image": os.path.basename(one.get("image") or "")} for one in read_lines(validation["questions"])]
        content["validation"] = [validation["everySteps"], questions]
    if validation := job.get("validationLoss"):
        content["validationLoss"] = validation | {"samples": _texts(read_lines(validation["samples"]))}
    if preference := job.get("preference"):
        pairs = [{**one, "image": os.path.basename(one.get("image") or "")} for one in read_lines(preference["pairs"])]
        content["preference"] = preference | {
            "pairs": pairs,
            "order": hash_of(preference["order"]),
            "referenceAdapter": _hash_of_adapter(preference.get("referenceAdapter"), hashes),
        }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _hash_of_adapter(folder, hashes):
    return [hashes.of(Path(folder, "adapter_model.safetensors"))] if folder else None


def _texts(samples):
    return [_texts_of(sample) for sample in samples]


def _texts_of(sample):
    if "turns" in sample:
        return [sample["id"], [{**turn, "content": _with_image_names(turn["content"])} for turn in sample["turns"]]]
    image = os.path.basename(sample.get("image") or "")
    return [sample["id"], sample["prompt"], sample["answer"], image, sample.get("kind") or ""]


def _with_image_names(content):
    return [{"image": os.path.basename(part["image"])} if "image" in part else part for part in content]


def job_hash_meanwhile(job, samples, order, hashes):
    """
    A function that returns `job_hash`, and waits for it where need be: it is computed beside other work, since as long as there is no
    checkpoint it is not needed before the first is written.
    """
    found = Future()

    def compute():
        try:
            found.set_result(job_hash(job, samples, order, hashes))
        except BaseException as error:
            found.set_exception(error)

    # It holds up no end of this process.
    threading.Thread(target=compute, daemon=True).start()
    return found.result


def write_checkpoint(folder, job, step, states, validated, curve):
    """
    `job`: its hash. `states`: name → parameter, first and second moment; `validated` see validation.py; `curve`: the lines of
    loss.jsonl so far, which may be gone, or damaged, when they are needed. The record comes last: a checkpoint that has one is whole.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"torch-{step:08d}.safetensors"
    temporary = file.with_suffix(".tmp")
    tensors = {f"{part}/{name}": one for name, state in states.items() for part, one in zip(PARTS, state)}
    tensors |= {f"{BEST}/{name}": one for name, one in validated.parameters.items()}
    save_file(tensors, temporary)
    os.replace(temporary, file)
    write_atomically(_curve_of(file), "".join(curve).encode())
    record = {"step": step, "jobHash": job, "sha256": hash_of(file)}
    record |= {"scores": validated.scores, "losses": validated.losses, "best": validated.best}
    write_atomically(file.with_suffix(".json"), f"{json.dumps(record)}\n".encode())
    for old in sorted(folder.glob("torch-*.safetensors"))[:-KEPT]:
        old.with_suffix(".json").unlink(missing_ok=True)
        _curve_of(old).unlink(missing_ok=True)
        old.unlink()
    return str(file)


def read_newest_checkpoint(folder, job, note):
    """
    Step, states, validation scores and loss curve of the newest whole checkpoint of the job, or 0 and none. A damaged one is
    skipped. `job` returns its hash.
    """
    for file in sorted(Path(folder).glob("torch-*.safetensors"), reverse=True):
        try:
            record = json.loads(file.with_suffix(".json").read_text("utf8"))
            if record["jobHash"] != job():
                note(f"{file}: belongs to another job, not used")
                continue
            if hash_of(file) != record["sha256"]:
                raise ValueError("its hash is wrong")
            tensors = load_file(file)
            parameters = {name.partition("/")[2]: one for name, one in tensors.items() if name.startswith(f"{BEST}/")}
            scores, losses = (record.get(key) or [] for key in ("scores", "losses"))
            validated = Validated(scores, record.get("best"), parameters, losses)
            return record["step"], _states(tensors), validated, _read_curve(file, record["step"])
        except (OSError, ValueError, KeyError) as error:
            note(f"{file}: damaged ({error}); the checkpoint before it is used")
    return 0, {}, Validated(), []


def _curve_of(file):
    return file.with_suffix(".loss.jsonl")


def _read_curve(file, steps):
    # Checkpoints of earlier versions of this program have no curve of their own.
    for curve in (_curve_of(file), file.parent.parent / "loss.jsonl"):
        lines = curve.read_text("utf8").splitlines(keepends=True)[:steps] if curve.exists() else []
        try:
            if [json.loads(line)["step"] for line in lines] == list(range(1, steps + 1)):
                return lines
        except (ValueError, KeyError, TypeError):
            pass
    raise ValueError("its loss curve is missing")


def _states(tensors):
    names = [name.partition("/")[2] for name in tensors if name.startswith(f"{PARTS[0]}/")]
    return {name: tuple(tensors[f"{part}/{name}"] for part in PARTS) for name in names}
