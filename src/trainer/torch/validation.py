"""Which of a finetune's states is kept, as src/trainer/jobs/finetune/validation.ts chooses it."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from peft.tuners.lora import LoraLayer

from evaluate import answer_losses
from protocol import read_lines, write_atomically
from sharing import Progress

SCORES_FILE = "validation.jsonl"


@dataclass
class Validated:
    """
    What was found so far: `{step, score}` and `{step, loss}` of states, the one that is kept, and its parameters by name.
    """

    scores: list = field(default_factory=list)
    best: dict | None = None
    parameters: dict = field(default_factory=dict)
    losses: list = field(default_factory=list)

    def add(self, step, score, training):
        """The first of the highest scores above zero is the best. All processes must call this."""
        self.scores = [*self.scores, {"step": step, "score": score}]
        if score > (self.best["score"] if self.best else 0):
            self._keep(self.scores[-1], training)

    def add_loss(self, step, loss, training, keeps_best):
        """The first of the lowest losses is the best, where the best is kept. All processes must call this."""
        lowest = all(loss < one["loss"] for one in self.losses)
        self.losses = [*self.losses, {"step": step, "loss": loss}]
        if keeps_best and lowest:
            self._keep({"step": step}, training)

    def _keep(self, best, training):
        self.best = best
        self.parameters = {name: parameter.clone() for name, (parameter, *_) in training.states().items()}

    def write(self, output):
        write_atomically(output / SCORES_FILE, "".join(f"{json.dumps(one)}\n" for one in self.scores).encode())


class Validation:
    """The questions that a job's states are scored on."""

    def __init__(self, job):
        settings = job["validation"]
        self.questions = read_lines(settings["questions"])
        self.every, self.batch_size, self.steps = settings["everySteps"], settings["batchSize"], job["steps"]

    def due(self, step, validated):
        """Whether the state after so many steps is to be scored and was not yet."""
        last = validated.scores[-1]["step"] if validated.scores else 0
        return step > 0 and (step % self.every == 0 or step == self.steps) and last < step

    @torch.no_grad()
    def score(self, model, reporter, device):
        """The mean score of the answers that the model chooses, without dropout. Raises Stopped on all processes alike."""
        with without_dropout(model):
            progress = Progress(reporter, device, len(self.questions), phase="validation")
            losses = answer_losses(self.questions, model, self.batch_size, progress)
        chosen = ((one["scores"], losses[one["question_id"]]) for one in self.questions)
        return sum(scores[found.index(min(found))] for scores, found in chosen) / len(self.questions)


@contextmanager
def without_dropout(model):
    """Nothing drops out of the adapters."""
    layers = [layer.lora_dropout for layer in model.module.modules() if isinstance(layer, LoraLayer)]
    modes = [layer.training for layer in layers]
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer, mode in zip(layers, modes):
            layer.train(mode)
