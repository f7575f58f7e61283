"""LLaMA with LoRA on chosen layers, as plainly and as fast as eager PyTorch allows.

Leaner than `transformers` with `peft`: no hooks, no masks where the attention kernel knows the causal one,
logits only where a loss is taken. What is measured is PyTorch, not a library on top of it.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn


class Linear(nn.Module):
    def __init__(self, weight, adapter, scaling):
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.scaling = scaling
        self.a = nn.Parameter(adapter[0]) if adapter else None
        self.b = nn.Parameter(adapter[1]) if adapter else None

    def forward(self, x):
        y = F.linear(x, self.weight)
        if self.a is None:
            return y
        return y + F.linear(F.linear(x, self.a), self.b) * self.scaling


class Layer(nn.Module):
    def __init__(self, linear, norm, config):
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, linear(f"self_attn.{name}"))
        for name in ("gate_proj", "up_proj", "down_proj"):
            setattr(self, name, linear(f"mlp.{name}"))
        self.input_norm = nn.Parameter(norm("input_layernorm"), requires_grad=False)
        self.inner_norm = nn.Parameter(norm("post_attention_layernorm"), requires_grad=False)
        self.heads = config["num_attention_heads"]
        self.key_value_heads = config["num_key_value_heads"]
        self.epsilon = config["rms_norm_eps"]

    def forward(self, x, cosine, sine):
        batch, tokens, hidden = x.shape
        source = F.rms_norm(x, (hidden,), self.input_norm, self.epsilon)
        apart = lambda y, heads: y.view(batch, tokens, heads, -1).transpose(1, 2)
        query = rotate(apart(self.q_proj(source), self.heads), cosine, sine)
        key = rotate(apart(self.k_proj(source), self.key_value_heads), cosine, sine)
        value = apart(self.v_proj(source), self.key_value_heads)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
        x = x + self.o_proj(mixed.transpose(1, 2).reshape(batch, tokens, -1))
        inner = F.rms_norm(x, (hidden,), self.inner_norm, self.epsilon)
        return x + self.down_proj(F.silu(self.gate_proj(inner)) * self.up_proj(inner))


def rotate(x, cosine, sine):
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-second, first), dim=-1) * sine


class Llama(nn.Module):
    def __init__(self, directory, adapter_directory):
        super().__init__()
        self.config = config = json.loads((Path(directory) / "config.json").read_text())["text_config"]
        with safe_open(Path(directory) / "model.safetensors", "pt") as weights:
            names = [name for name in weights.keys() if name.startswith("language_model.")]
            # Copied out of the file, whose pages would not count as memory otherwise.
            tensors = {name: weights.get_tensor(name).clone() for name in names}
        adapters, scaling = read_adapter(adapter_directory)

        def layer(index):
            prefix = f"language_model.model.layers.{index}."
            return Layer(
                lambda name: Linear(tensors.pop(f"{prefix}{name}.weight"), adapters.get(f"{prefix}{name}"), scaling),
                lambda name: tensors.pop(f"{prefix}{name}.weight"),
                config,
            )

        self.layers = nn.ModuleList(layer(index) for index in range(config["num_hidden_layers"]))
        self.embeddings = nn.Parameter(tensors.pop("language_model.model.embed_tokens.weight"), requires_grad=False)
        self.norm = nn.Parameter(tensors.pop("language_model.model.norm.weight"), requires_grad=False)
        self.tables = {}

    def rotary_tables(self, tokens):
        if tokens not in self.tables:
            size = self.config["hidden_size"] // self.config["num_attention_heads"]
            frequencies = self.config["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
            angles = torch.arange(tokens, dtype=torch.float64)[:, None] * frequencies
            angles = torch.cat((angles, angles), dim=-1)
            self.tables[tokens] = angles.cos().float(), angles.sin().float()
        return self.tables[tokens]

    def hidden_states(self, ids):
        cosine, sine = self.rotary_tables(ids.shape[1])
        x = F.embedding(ids, self.embeddings)
        for layer in self.layers:
            x = layer(x, cosine, sine)
        return x

    def losses(self, ids, answer_start):
        """Loss of every token from `answer_start` on: [batch, tokens - answer_start]."""
        wanted = self.hidden_states(ids)[:, answer_start - 1 : -1]
        logits = F.linear(F.rms_norm(wanted, wanted.shape[-1:], self.norm, self.config["rms_norm_eps"]), self.embeddings)
        labels = ids[:, answer_start:]
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)


def read_adapter(directory):
    if not directory:
        return {}, 1.0
    config = json.loads((Path(directory) / "adapter_config.json").read_text())
    factors = {}
    with safe_open(Path(directory) / "adapter_model.safetensors", "pt") as file:
        for name in file.keys():
            module, factor, _ = name.removeprefix("base_model.model.").rsplit(".", 2)
            factors.setdefault(module, {})[factor] = file.get_tensor(name).clone()
    adapters = {module: (pair["lora_A"], pair["lora_B"]) for module, pair in factors.items()}
    return adapters, config["lora_alpha"] / config["r"]
