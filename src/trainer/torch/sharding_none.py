"""Each process has all weights; gradients are averaged by DistributedDataParallel."""

import contextlib

import torch
from torch.nn.parallel import DistributedDataParallel

SHARDED = False


def placed(loaded, _empty, device, _trained):
    return loaded().to(device)


def elements(parameter):
    return parameter.numel(), parameter.numel()


class Training:
    def __init__(self, scorer, parameters, optimization, states, step):
        self.parameters, self.optimization = parameters, optimization
        self.optimizer = optimization.adamw(parameters)
        if states:
            self._restore(states, step)
        self.uses_all = scorer.uses_all()
        self.scorer = self._wrapped(scorer)

    def part(self, last):
        return contextlib.nullcontext() if last else self.scorer.no_sync()

    def backward(self, loss):
        # Each parameter must have a gradient on each process.
        unused = 0 if self.uses_all else sum(0 * parameter.sum() for parameter in self.parameters.values())
        (loss + unused).backward()

    def step(self, rate):
        norm, most = None, self.optimization.maximum_norm
        if most is not None:
            norm = self._whole(torch.nn.utils.clip_grad_norm_(self.parameters.values(), most))
        self.optimization.set_rate(self.optimizer, rate)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def states(self):
        def of(parameter):
            state = self.optimizer.state[parameter]
            tensors = (parameter, state["exp_avg"], state["exp_avg_sq"])
            return tuple(self._whole(one.detach()).cpu().contiguous() for one in tensors)

        return {name: of(parameter) for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def _restore(self, states, step):
        for name, parameter in self.parameters.items():
            value, first, second = (self._own_part(one.to(parameter.device), parameter) for one in states[name])
            parameter.copy_(value)
            self.optimizer.state[parameter] = {"step": torch.tensor(float(step)), "exp_avg": first, "exp_avg_sq": second}

    def _wrapped(self, scorer):
        device = next(scorer.parameters()).device
        devices = [device] if device.type == "cuda" else None
        return DistributedDataParallel(scorer, device_ids=devices, broadcast_buffers=False)

    def _whole(self, tensor):
        return tensor

    def _own_part(self, tensor, _parameter):
        return tensor
