"""
Each process keeps its part of every decoder layer and vision block, as transformers names them, by PyTorch's FSDP2. Rank 0
reads the files into its main memory and hands out one tensor after another, so that no device ever holds more than its part
and the layer at work.
"""

import contextlib

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import distribute_tensor

import sharding_none

SHARDED = True


def placed(loaded, empty, device, _trained):
    scorer = empty()
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    # Inner ones first, as `fully_shard` wants them.
    for block in reversed(scorer.blocks()):
        fully_shard(block, mesh=mesh)
    fully_shard(scorer, mesh=mesh)
    scorer.to_empty(device=device)

    whole = loaded() if dist.get_rank() == 0 else None
    tensors = whole.state_dict() if whole else {}
    set_model_state_dict(scorer, tensors, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))
    # Those that are in no file too, such as rotary frequencies.
    for name, buffer in scorer.named_buffers():
        if whole:
            buffer.copy_(whole.get_buffer(name))
        dist.broadcast(buffer, 0)
    return scorer.eval()


def elements(parameter):
    return parameter.to_local().numel(), parameter.numel()


class Training(sharding_none.Training):
    def part(self, last):
        self.scorer.set_requires_gradient_sync(last)
        return contextlib.nullcontext()

    def backward(self, loss):
        loss.backward()

    def step(self, rate):
        # As of a parameter that no text of the batch used, without sharding.
        for parameter in self.parameters.values():
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        return super().step(rate)

    def _wrapped(self, scorer):
        return scorer

    def _whole(self, tensor):
        return tensor.full_tensor()

    def _own_part(self, tensor, parameter):
        # Every process has read the file, so nothing is sent.
        return distribute_tensor(tensor, parameter.device_mesh, parameter.placements, src_data_rank=None)
