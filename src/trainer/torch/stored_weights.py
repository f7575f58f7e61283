"""
Weights kept in bfloat16: the matrices of the language model, as in src/trainer/jobs/frozen-weights.ts. What is computed with
them is the job's `computeDtype`, so each is widened where it is used.
"""

import re
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel

from protocol import JobError


@contextmanager
def kept_in(dtype, compute_dtype, wide=None):
    """
    Models that are loaded meanwhile, in float32, have the language model's matrices in this dtype. With `wide`, the weights of
    these names stay float32, and so does what is no matrix of a layer.
    """
    usual = PreTrainedModel._get_dtype_plan

    def plan(module, _dtype):
        return {f"^{re.escape(name)}$": dtype for name in _stored(module, compute_dtype, wide)}

    PreTrainedModel._get_dtype_plan = usual if dtype == torch.float32 else plan
    try:
        yield
    finally:
        PreTrainedModel._get_dtype_plan = usual


def narrowed(module, dtype, compute_dtype):
    """A model without weights yet, of the dtypes that it is loaded in."""
    names = set() if dtype == torch.float32 else set(_stored(module, compute_dtype))
    for name, value in module.named_parameters():
        if name in names:
            value.data = value.data.to(dtype)
    return module


def widened_where_used(module):
    """The model, whose layers compute with bfloat16 weights in the dtype of what comes in, or in that of autocast."""
    for layer in _layers(module):
        if layer.weight.dtype == torch.bfloat16:
            layer.forward = (_embed if isinstance(layer, torch.nn.Embedding) else _multiply).__get__(layer)
    return module


def _multiply(layer, x):
    in_autocast = torch.is_autocast_enabled(x.device.type)
    weight = layer.weight if in_autocast else layer.weight.to(x.dtype)
    bias = layer.bias if in_autocast or layer.bias is None else layer.bias.to(x.dtype)
    return torch.nn.functional.linear(x, weight, bias)


def _embed(layer, ids):
    return torch.nn.functional.embedding(ids, layer.weight, layer.padding_idx).float()


def _layers(module):
    """Those of the language model that hold one matrix each, its head included."""
    parts = [*module.get_decoder().modules(), module.get_output_embeddings()]
    return [one for one in parts if type(one) in (torch.nn.Linear, torch.nn.Embedding)]


def _stored(module, compute_dtype, kept_wide=None):
    """Names of the matrices."""
    matrices = {id(layer.weight) for layer in _layers(module)}
    others = [value for value in module.get_decoder().parameters() if value.dim() > 1 and id(value) not in matrices]
    if kept_wide is not None:
        return [name for name, value in module.named_parameters(remove_duplicate=False) if id(value) in matrices and name not in kept_wide]
    if others and compute_dtype == "float32":
        raise JobError("weightDtype: bfloat16: this model has layers that compute in the dtype they are stored in: set computeDtype")
    wide = {id(value) for value in others}
    return [name for name, value in module.named_parameters(remove_duplicate=False) if id(value) in matrices | wide]
