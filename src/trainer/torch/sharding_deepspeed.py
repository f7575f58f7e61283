"""
Each process keeps its part of every parameter, by DeepSpeed's ZeRO-3, and gathers a layer's when it is that layer's turn.
Rank 0 reads the files into its main memory and hands out one parameter after another.
"""

import contextlib
import os
import warnings

import torch
import torch.distributed as dist
from transformers import PreTrainedModel

# DeepSpeed would look for one, and complain on standard output when it finds none.
os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")

import deepspeed  # noqa: E402
from deepspeed.utils import (  # noqa: E402
    safe_get_full_fp32_param,
    safe_get_full_optimizer_state,
    safe_set_local_optimizer_state,
)

from protocol import JobError  # noqa: E402

# It calls torch.distributed by names that are to change.
warnings.filterwarnings("ignore", "`torch.distributed", FutureWarning)
# None of its own operations, since they would be compiled at their first use.
deepspeed.ops.__compatible_ops__ = {}

SHARDED = True
# Elements of gradients that are sent together.
LARGEST_BUCKET = 50_000_000
MOMENTS = ("exp_avg", "exp_avg_sq")


def placed(loaded, empty, device, trained):
    if dist.get_rank() == 0:
        scorer = loaded()
    else:
        # Main memory that is never written to is none.
        scorer = empty().to_empty(device="cpu")
        for part in scorer.modules():
            if isinstance(part, PreTrainedModel):
                part.tie_weights()
    deepspeed.init_distributed()
    deepspeed.zero.Init(module=scorer, config_dict_or_path=_settings())
    scorer = scorer.to(device).eval()
    # Those that are in no file too, such as rotary frequencies.
    for buffer in scorer.buffers():
        dist.broadcast(buffer, 0)
    if not trained:
        deepspeed.initialize(model=scorer, config=_settings(**_limits(scorer)))
    return scorer


def elements(parameter):
    return parameter.ds_tensor.numel(), parameter.ds_numel


class Training:
    def __init__(self, scorer, parameters, optimization, states, step):
        self.parameters, self.optimization = parameters, optimization
        if states:
            self._restore_parameters(states)
        bucket = min(LARGEST_BUCKET, sum(parameter.ds_numel for parameter in parameters.values()))
        optimizer = optimization.adamw(parameters)
        config = _settings(optimization.maximum_norm, **_limits(scorer), reduce_bucket_size=bucket)
        self.scorer, self.optimizer, *_ = deepspeed.initialize(model=scorer, optimizer=optimizer, config=config)
        if states:
            self._restore_moments(states, step)

    def part(self, _last):
        # Gradients are sharded, so they go over the network with every part.
        return contextlib.nullcontext()

    def backward(self, loss):
        self.scorer.backward(loss)

    def step(self, rate):
        self.optimization.set_rate(self.optimizer, rate)
        self.scorer.step()
        if not self.scorer.was_step_applied():
            raise JobError("finetune.learningRate: a gradient is not finite: training diverged. Lower it")
        return None if self.optimization.maximum_norm is None else torch.tensor(float(self.scorer.get_global_grad_norm()))

    def states(self):
        def of(parameter):
            moments = (safe_get_full_optimizer_state(parameter, moment) for moment in MOMENTS)
            return tuple(one.cpu().clone() for one in (safe_get_full_fp32_param(parameter), *moments))

        return {name: of(parameter) for name, parameter in self.parameters.items()}

    def _restore_parameters(self, states):
        """Before DeepSpeed makes the optimizer's own copies of them."""
        for name, parameter in self.parameters.items():
            with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0):
                parameter.data.copy_(states[name][0])

    def _restore_moments(self, states, step):
        for flat in self.optimizer.fp32_partitioned_groups_flat:
            moments = {moment: torch.zeros_like(flat) for moment in MOMENTS}
            self.optimizer.state[flat] = {"step": torch.tensor(float(step)), **moments}
        for name, parameter in self.parameters.items():
            for moment, whole in zip(MOMENTS, states[name][1:], strict=True):
                safe_set_local_optimizer_state(parameter, _own_part(whole, parameter), moment)


def _settings(maximum_norm=None, **limits):
    return {
        # Required, and unused: batches are made elsewhere, and a step comes when `step` is called.
        "train_micro_batch_size_per_gpu": 1,
        "managed_gradient_accumulation": False,
        # 1 by default.
        "gradient_clipping": maximum_norm or 0.0,
        "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0, **limits},
    }


def _limits(scorer):
    """The layer at work and the next: left to itself DeepSpeed keeps up to 1e9 elements."""
    layer = max((sum(value.ds_numel for value in block.parameters()) for block in scorer.blocks()), default=0)
    return {
        "stage3_prefetch_bucket_size": layer,
        "stage3_max_live_parameters": 2 * layer,
        "stage3_max_reuse_distance": 2 * layer,
    }


def _own_part(tensor, parameter):
    """As DeepSpeed cuts it: flat, in parts of one length, the last padded."""
    length = parameter.ds_tensor.numel()
    filled = torch.nn.functional.pad(tensor.flatten(), (0, length * dist.get_world_size() - tensor.numel()))
    return filled[length * dist.get_rank() :][:length]
