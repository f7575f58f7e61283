"""The trainer's side of the protocol: one JSON message a line on standard output, of rank 0 alone but for failures."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist

PROGRESS_SECONDS = 0.2
# As in src/trainer/protocol.ts.
TRAINER_VERSION = 3


class JobError(Exception):
    """A person must repair something: reported as `input`, never retried."""


class Stopped(Exception):
    """SIGTERM was received."""


class Reporter:
    """Reports progress and results, on rank 0 only."""

    def __init__(self, rank, fence=None):
        self.rank, self.fence = rank, fence
        self.sent = 0.0
        self.stop_requested = False
        signal.signal(signal.SIGTERM, self._request_stop)

    def _request_stop(self, _signal, _frame):
        self.stop_requested = True

    def send(self, kind, **content):
        if self.rank == 0:
            _write_line({"type": kind, **content})

    def fail(self, kind, error):
        """The first rank that fails reports why; torchrun ends the others, which can't continue without it."""
        _write_line({"type": "failed", "kind": kind, "message": str(error), "retryable": False})

    def progress(self, step, steps, **figures):
        now = time.monotonic()
        if step < steps and now - self.sent < PROGRESS_SECONDS:
            return
        self.sent = now
        self.send("progress", step=step, steps=steps, **figures)

    def require_fence(self):
        """
        Called before each write: this process may have been stopped while others went on. Raises RuntimeError when another
        attempt, or another owner of the run, has taken over.
        """
        if self.fence is None or self.rank != 0:
            return
        lost, started = self.fence.get("lost"), Path(self.fence["started"])
        if lost and os.path.exists(lost):
            raise RuntimeError(f"the run has another owner ({lost}): nothing is written")
        try:
            attempt = json.loads(started.read_text("utf8"))["attempt"]
        except (OSError, ValueError, KeyError):
            # Gone: the step is finished.
            attempt = None
        if attempt != self.fence["attempt"]:
            raise RuntimeError(f"another attempt has started ({started}): nothing is written")

    def note(self, text):
        if self.rank == 0:
            print(text, file=sys.stderr, flush=True)


def _write_line(message):
    # In one write: lines of several ranks must not get into one another.
    os.write(1, f"{json.dumps(message)}\n".encode())


def any_rank(flag, device):
    """Whether it is so on any process; all must call this."""
    value = torch.tensor(1.0 if flag else 0.0, device=device)
    dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return value.item() > 0


def read_lines(file):
    """The values of a file of JSON lines."""
    return [json.loads(line) for line in Path(file).read_text("utf8").splitlines() if line]


def write_atomically(file, data):
    """A crash leaves the old file or the new one."""
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.tmp")
    with open(temporary, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, file)
