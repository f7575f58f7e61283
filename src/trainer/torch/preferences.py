"""
Preference pairs, as src/trainer/jobs/finetune/pairs.ts, preference-loss.ts and reference.ts have them: direct preference
optimization (arXiv 2305.18290).
"""

import json
import math
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.functional import logsigmoid

from attention import attention_of
from models import Model, stored_adapter, token_losses
from on_device import on_device
from protocol import JobError, read_lines, write_atomically
from sharing import Progress, distributed, with_companion


class Pairs:
    def __init__(self, job, sharded, tokenized):
        """`sharded`: whether weights are; `tokenized`: gives the sequences, by place, of samples of which some are used; see finetune.py."""
        self.settings, self.steps, self.sharded = job["preference"], job["steps"], sharded
        self.size, self.beta = self.settings["batchSize"], self.settings["beta"]
        file = self.settings["pairs"]
        pairs, order = read_lines(file), json.loads(Path(self.settings["order"]).read_text())
        if len(order) < self.steps * self.size:
            raise JobError(f"{self.settings['order']}: holds {len(order)} pairs, but {self.steps} steps of {self.size} need more")
        self.order = order[: self.steps * self.size]
        self.chosen, self.rejected = (
            tokenized(file, [pair | {"answer": pair[answer]} for pair in pairs], self.order) for answer in ("chosen", "rejected")
        )
        for answer, sequences in (("chosen", self.chosen), ("rejected", self.rejected)):
            empty = next((place for place, sequence in sequences.items() if sequence.learned == 0), None)
            if empty is not None:
                problem = f"nothing of it is left: finetune.maximumTokens is {job['maximumTokens']}. Raise it"
                raise JobError(f"{file}:{empty + 1}: {answer}: {problem}")
        self.at_once = pairs_at_once(self.size, job["microBatchSize"])

    def parts(self, step):
        """Sequences that this process computes in a step, in parts."""
        return [self._sequences(computed) for _, computed in self._own(step)]

    def accumulate(self, training, prepared, step, reference, device):
        """
        Gradients of the loss of a step's pairs; `prepared` has the inputs of their parts. Returns sums over the pairs: their loss in the
        step's, reward margins, rewards that are right, and tokens, as a tensor that the device may still be computing.
        """
        world, parts = dist.get_world_size(), self._own(step)
        totals = torch.zeros(4, dtype=torch.float64, device=device)
        for number, (part, computed) in enumerate(parts):
            given = next(prepared)
            tokens = given.inputs["input_ids"].numel()
            with training.part(number + 1 == len(parts)):
                answers = self._answers(token_losses(training.scorer, given.inputs, given.labels, given.first))
                compared = on_device(torch.tensor([reference[pair][0] - reference[pair][1] for pair in computed]), device)
                losses, margins = preference_losses(answers, compared, self.settings)
                loss = losses[: len(part)].sum() / self.size
                # Gradients are averaged over the processes; a sum over them is what the mean of all pairs needs.
                training.backward(loss * world)
            margins = margins.detach()[: len(part)]
            right = (margins > 0).sum().float()
            totals += torch.stack([loss.detach(), margins.sum(), right, on_device(torch.tensor(float(tokens)), device)])
        dist.all_reduce(totals)
        return totals

    def figures(self, totals):
        """What is logged of a step, of the values that `accumulate` returns, and the number of tokens."""
        loss, margin, right, tokens = totals
        return {"preferenceLoss": loss, "rewardMargin": margin / self.size, "rewardAccuracy": right / self.size}, int(tokens)

    def reference(self, job, folder, job_id, device, sharding, reporter):
        """
        What the reference says of all pairs that are trained on, by place: log probabilities of both answers. Computed once, and
        kept for attempts that resume.
        """
        file = Path(folder) / "torch-reference.json"
        try:
            known = json.loads(file.read_text("utf8"))
            if known["jobHash"] == job_id:
                return dict(known["pairs"])
        except (OSError, ValueError, KeyError):
            pass
        # On every process, before one of them writes it.
        dist.barrier()
        adapter = self.settings.get("referenceAdapter")
        model = Model(
            job["model"],
            device,
            job.get("family"),
            job["weightDtype"],
            job["computeDtype"],
            adapt=stored_adapter(adapter) if adapter else None,
            sharding=sharding,
            image=job.get("image"),
            attention=attention_of(job, device),
        )
        # Those with an image and those without are computed in different ways.
        groups = [[pair for pair in sorted(set(self.order)) if bool(self.chosen[pair].image) == shown] for shown in (True, False)]
        groups = [[group[at : at + self.at_once] for at in range(0, len(group), self.at_once)] for group in groups]
        progress = Progress(reporter, device, sum(map(len, groups)), phase="reference")

        @torch.no_grad()
        def work(part):
            inputs, labels = model.family.collate(self._sequences(part))
            chosen, rejected = self._answers(token_losses(model.scorer, inputs, labels)).chunk(2)
            return list(zip(part, zip(chosen.tolist(), rejected.tolist())))

        found = [one for group in groups for part in distributed(group, work, progress) for one in part]
        if dist.get_rank() == 0:
            reporter.require_fence()
            write_atomically(file, f"{json.dumps({'jobHash': job_id, 'pairs': found})}\n".encode())
        return dict(found)

    def _own(self, step):
        """Of a step's pairs those of this process, in parts, and beside each part what is computed for it; as many on each process."""
        rank, world = dist.get_rank(), dist.get_world_size()
        pairs = self.order[step * self.size : (step + 1) * self.size]
        own, most, micro = pairs[rank::world], math.ceil(self.size / world), max(1, self.at_once // world)
        parts = [own[at : at + micro] for at in range(0, most, micro)]
        return [(part, with_companion(part, pairs, self.sharded, lambda pair: self.chosen[pair].image)) for part in parts]

    def _sequences(self, pairs):
        """All chosen answers, then all rejected ones."""
        return [sequences[pair] for sequences in (self.chosen, self.rejected) for pair in pairs]

    def _answers(self, token_losses_of):
        """Log probabilities of answers, `[sequences]`, of what `token_losses` returns."""
        losses, counted = token_losses_of
        sums = -(losses * counted).sum(1)
        return sums / counted.sum(1) if self.settings["lengthNormalized"] else sums


def preference_losses(answers, reference, settings):
    """
    Losses and reward margins of pairs, `[pairs]` each. `answers`: see `_answers`; `reference`: by how much the reference finds the
    chosen answer likelier.
    """
    chosen, rejected = answers.chunk(2)
    margins = settings["beta"] * (chosen - rejected - reference)
    smoothing = settings["labelSmoothing"]
    return -(1 - smoothing) * logsigmoid(margins) - smoothing * logsigmoid(-margins), margins


def pairs_at_once(batch_size, micro_batch_size):
    """As `pairsAtOnce` of pairs.ts."""
    most = min(batch_size, max(1, micro_batch_size // 2))
    return next(size for size in range(most, 0, -1) if batch_size % size == 0)
