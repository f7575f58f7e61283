"""The losses of a finetune's steps: read from the device, reported, and written to loss.jsonl."""

import json
import math
import os
import time
import uuid
from collections import deque

from on_device import Reading
from protocol import JobError


class LateLosses:
    """
    What steps leave on the device. It is read once the next step has been started, so that the device never waits for this process:
    a step's loss is logged, and its progress reported, one step late.
    """

    def __init__(self, first, steps, log, reporter, sft_weight=1, pairs=None):
        """`sft_weight`: of the loss on samples, beside `pairs`, if there are any (preferences.py)."""
        self.first, self.steps, self.log, self.reporter = first, steps, log, reporter
        self.sft_weight, self.pairs = sft_weight, pairs
        self.waiting = deque()
        self.started, self.tokens = time.monotonic(), 0
        # Of the newest step that was read: its loss, and whether a process was asked to stop before it.
        self.loss, self.stopping = math.nan, False

    def add(self, step, rate, sums, norm):
        """
        `sums`: the step's loss, tokens, how many processes were asked to stop, and what `Pairs.accumulate` returns; `norm` of its
        gradient, or none.
        """
        self.waiting.append((step, rate, Reading(sums), None if norm is None else Reading(norm)))

    def read(self, until):
        """Those of steps up to this one, in their order. Raises JobError for a loss that is no number."""
        while self.waiting and self.waiting[0][0] <= until:
            step, rate, sums, norm = self.waiting.popleft()
            self.loss, tokens, asked, *compared = sums.values()
            preference = {}
            if compared:
                preference, of_pairs = self.pairs.figures(compared)
                preference |= {"sftLoss": self.loss / self.sft_weight} if self.sft_weight else {}
                self.loss, tokens = self.loss + preference["preferenceLoss"], tokens + of_pairs
            if not math.isfinite(self.loss):
                raise JobError(f"finetune.learningRate: the loss is {self.loss} at step {step}: training diverged. Lower it")
            self.tokens, self.stopping = self.tokens + int(tokens), asked > 0
            self._report(step, {"loss": self.loss, "learningRate": rate}, ({} if norm is None else {"gradientNorm": norm.values()}) | preference)

    def _report(self, step, figures, others):
        self.reporter.require_fence()
        self.log.write({"step": step} | figures | others)
        seconds = time.monotonic() - self.started
        self.reporter.progress(
            step,
            self.steps,
            **figures,
            tokensPerSecond=self.tokens / seconds,
            etaSeconds=seconds / (step - self.first) * (self.steps - step),
        )


class LossLog:
    """
    loss.jsonl, which starts with the curve of the steps so far. It is a file of its own that takes the other's place, so that
    another attempt's trainer, of another host say, can't write into it.
    """

    def __init__(self, file, curve, rank):
        self.file, self.curve, self.stream = file, list(curve), None
        if rank != 0:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}.tmp")
        self.stream = open(temporary, "x", encoding="utf8")
        self.stream.write("".join(curve))
        self.flush()
        os.replace(temporary, file)

    def write(self, record):
        if self.stream:
            self.curve.append(f"{json.dumps(record)}\n")
            self.stream.write(self.curve[-1])
            self.stream.flush()

    def flush(self):
        if self.stream:
            self.stream.flush()
            os.fsync(self.stream.fileno())

    def close(self):
        """Raises RuntimeError when another trainer's log is there by now."""
        if self.stream:
            own = os.fstat(self.stream.fileno()).st_ino
            self.stream.close()
            if not self.file.exists() or self.file.stat().st_ino != own:
                raise RuntimeError(f"{self.file}: another attempt's trainer has started meanwhile")
