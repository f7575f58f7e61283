"""Turns a GGUF file of a LLaMA into a model directory in Hugging Face's format, weights as float32:

    python gguf-to-huggingface.py model.gguf output-directory
"""

import sys
from pathlib import Path

import torch
from gguf import GGUFReader
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM


def read_tokenizer(file):
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    field = GGUFReader(file).get_field("tokenizer.ggml.pre")
    if field is not None and field.contents() == "smollm":
        # transformers leaves out what this kind of tokenizer does first: every digit is a token of its own.
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    return tokenizer


def read_model(file):
    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    settings = read.config.to_dict()
    # A model that knows it was quantized refuses to be saved; what it holds are plain weights by now.
    for name in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        settings.pop(name, None)
    model = LlamaForCausalLM(LlamaConfig(**settings))
    model.load_state_dict(read.state_dict())
    model.tie_weights()
    return model


if __name__ == "__main__":
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    read_model(source).save_pretrained(output)
    read_tokenizer(source).save_pretrained(output)
