"""
The inputs of a finetune's next parts, made while the model computes: by processes of their own, or by one thread. Images are decoded
and resized there, so that the process that trains starts work for its device without interruption.
"""

import copy
import ctypes
import os
import signal
from collections import deque
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import torch

from built_in_family import BuiltInFamily
from models import first_label
from on_device import on_device

PR_SET_PDEATHSIG = 1
# Beyond it the disk or the pipes are what limits.
MOST_WORKERS = 8
PARTS_AHEAD = 2

# Of a worker.
own_family = None


@dataclass
class Part:
    """What a scorer is given of some sequences, on the device; `first` is the first position that has a label in any row."""

    inputs: dict
    labels: torch.Tensor
    first: int


def workers_of(job, device):
    """How many processes prepare images for this one: as the job says, else the cores that a GPU's process has to itself, but one."""
    if "imageWorkers" in job:
        return job["imageWorkers"]
    if device.type == "cpu":
        # The model computes on the same cores.
        return 0
    shares = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(0, min(MOST_WORKERS, len(os.sched_getaffinity(0)) // shares - 1))


class Preparation:
    """A context; its processes are gone behind it, and with the process that made it, however that ends."""

    def __init__(self, family, device, workers):
        self.device, self.parts_ahead = device, max(PARTS_AHEAD, workers + 1)
        # The same family, whose inputs stay in main memory.
        family = copy.copy(family)
        family.device = torch.device("cpu")
        if workers:
            # Forked, so that a worker has the family, and all that is imported, from the start. It never uses the device.
            self.pool = ProcessPoolExecutor(workers, get_context("fork"), _begin, (family, os.getpid()))
        else:
            self.pool = ThreadPoolExecutor(1, initializer=_take, initargs=(family,))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown(cancel_futures=True)

    def ahead(self, parts, features=None):
        """
        A `Part` for each part of a batch, in their order. With `features` what the vision side makes of images comes from there, and
        pixels are prepared where it has none yet.
        """
        waiting = deque()
        for part in parts:
            files = None if features is None else features.missing(part)
            waiting.append((part, files, self.pool.submit(_made, part, files)))
            if len(waiting) > self.parts_ahead:
                yield self._placed(features, *waiting.popleft())
        while waiting:
            yield self._placed(features, *waiting.popleft())

    def _placed(self, features, part, files, made):
        *inputs, labels = made.result()
        tensors = {name: torch.from_numpy(values) for name, values in inputs}
        labels = torch.from_numpy(labels)
        pixels = tensors.pop("missing_pixels", None)
        placed = {name: on_device(one, self.device) for name, one in tensors.items()}
        if files is not None and any(sequence.image for sequence in part):
            placed["image_features"] = features.of(part, files, None if pixels is None else on_device(pixels, self.device))
        return Part(placed, on_device(labels, self.device), first_label(labels))


def _begin(family, parent):
    """Of a worker process."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It ended before the kernel was told.
        os._exit(1)
    # Whole groups are asked to stop, and the process that trains finishes its step before it does.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    _take(family)


def _take(family):
    global own_family
    own_family = family


def _made(part, files):
    """Names and values of a part's inputs, labels last. `files`: of which images pixels are needed; all where that is none."""
    family = own_family
    if files is None:
        inputs, labels = family.collate(part)
    else:
        inputs, labels = family.words(part)
        if files:
            inputs["missing_pixels"] = family.pixels([(file, None) for file in files])
    if isinstance(family, BuiltInFamily):
        # Padding is behind all words, and words look back only. Without a mask attention is the fastest there is.
        del inputs["attention_mask"]
    return [*((name, value.numpy()) for name, value in inputs.items()), labels.numpy()]
