"""AdamW and its learning rate, as src/trainer/jobs/finetune/optimizer.ts has them."""

import math

import torch

from trained_parts import part_of

STANDARD_ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def learning_rate(step, steps, schedule):
    """From 0. `reference` is `linear_warmup_cosine_lr` of MiniGPT-4, the others are transformers' `get_scheduler`."""
    initial, peak, final, warmup = (schedule[key] for key in ("initial", "peak", "final", "warmupSteps"))
    kind = schedule.get("schedule", "reference")
    if step < warmup:
        return initial + (peak - initial) * step / warmup
    if kind == "constant":
        return peak
    done, length = (step, steps) if kind == "reference" else (step - warmup, max(1, steps - warmup))
    if kind == "linear":
        return final + (peak - final) * (1 - done / length)
    return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * done / length))


class Optimization:
    """What a job says about its updates."""

    def __init__(self, job):
        self.weight_decay = job["weightDecay"]
        self.adam = job.get("adam", STANDARD_ADAM)
        # Gradients of a larger norm, over all parameters and processes, are scaled down to it; none for no limit.
        self.maximum_norm = job.get("maximumGradientNorm")
        self.by_part = job["learningRate"].get("byPart") or {}

    def adamw(self, parameters):
        """The optimizer of these parameters by name, a group for each learning rate; `set_rate` sets them."""
        groups = {}
        for name, parameter in parameters.items():
            groups.setdefault(self._factor(name), []).append(parameter)
        self.factors = list(groups)
        return torch.optim.AdamW(
            [{"params": group} for group in groups.values()],
            lr=0.0,
            weight_decay=self.weight_decay,
            betas=(self.adam["beta1"], self.adam["beta2"]),
            eps=self.adam["epsilon"],
        )

    def set_rate(self, optimizer, rate):
        for group, factor in zip(optimizer.param_groups, self.factors, strict=True):
            group["lr"] = rate * factor

    def _factor(self, name):
        """What the learning rate is multiplied by, as `rateFactor` of optimizer.ts."""
        module, _, factor = name.removesuffix(".weight").removesuffix(".default").rpartition(".")
        named = (one for part, one in self.by_part.items() if part in (part_of(name), factor) or module.endswith(f".{part}"))
        return math.prod(named, start=1.0)
