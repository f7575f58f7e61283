"""The loss on samples that are not trained on, as src/trainer/jobs/finetune/validation-loss.ts computes it."""

import json
import math

import torch

from models import token_losses
from protocol import JobError, write_atomically
from sharing import Progress, distributed
from validation import without_dropout

LOSS_FILE = "validation-loss.jsonl"


class ValidationLoss:
    def __init__(self, job, sequences):
        """`sequences`: of the samples, in their order."""
        self.settings, self.sequences = job["validationLoss"], sequences
        self.every, self.steps, self.batch_size = self.settings["everySteps"], job["steps"], job["batchSize"]
        self.at_once = job["microBatchSize"]

    def due(self, step, validated):
        """Whether the loss of the state after so many steps is to be computed and was not yet."""
        last = validated.losses[-1]["step"] if validated.losses else 0
        return step > 0 and (step % self.every == 0 or step == self.steps) and last < step

    @torch.no_grad()
    def compute(self, model, reporter, device):
        """
        The mean over batches of the mean over a batch's learned tokens; a smaller last batch weighs less. Raises Stopped on all
        processes alike.
        """
        # Those with an image and those without are computed in different ways.
        groups = [[at for at, one in enumerate(self.sequences) if bool(one.image) == shown] for shown in (True, False)]
        groups = [[group[at : at + self.at_once] for at in range(0, len(group), self.at_once)] for group in groups]
        progress = Progress(reporter, device, sum(map(len, groups)), phase="validation")

        def sums(part):
            losses, counted = token_losses(model.scorer, *model.family.collate([self.sequences[index] for index in part]))
            return list(zip(part, (losses * counted).sum(1).tolist()))

        with without_dropout(model):
            sum_of = dict(one for group in groups for part in distributed(group, sums, progress) for one in part)
        total, counted = 0.0, 0
        for start in range(0, len(self.sequences), self.batch_size):
            batch = range(start, min(start + self.batch_size, len(self.sequences)))
            learned = sum(self.sequences[index].learned for index in batch)
            if learned > 0:
                total += len(batch) * sum(sum_of[index] for index in batch) / learned
                counted += len(batch)
        loss = total / counted
        if not math.isfinite(loss):
            raise JobError(f"finetune.learningRate: the validation loss is {loss}: training diverged. Lower it")
        return loss


def write_losses(output, losses):
    write_atomically(output / LOSS_FILE, "".join(f"{json.dumps(one)}\n" for one in losses).encode())


def stops_early(losses, settings):
    """As `stopsEarly` of validation-loss.ts."""
    lowest, without_improvement = math.inf, 0
    for one in losses:
        improved = one["loss"] < lowest and lowest - one["loss"] > settings.get("minimumChange", 0)
        without_improvement = 0 if improved else without_improvement + 1
        lowest = min(lowest, one["loss"])
    return "stopAfter" in settings and without_improvement >= settings["stopAfter"]
