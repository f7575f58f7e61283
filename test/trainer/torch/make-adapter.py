"""
Writes a PEFT adapter with random values, of the projections of a model's last decoder layer: `make-adapter.py <model> <directory>
[dora]`.
"""

import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForImageTextToText

model, directory, *kind = sys.argv[1:]
module = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
layers = r".*language_model.*layers\.1\..*(q_proj|down_proj)"
adapted = get_peft_model(module, LoraConfig(r=2, lora_alpha=4, target_modules=layers, use_dora="dora" in kind))
torch.manual_seed(0)
for name, value in adapted.named_parameters():
    if "lora_A" in name or "lora_B" in name:
        torch.nn.init.normal_(value, std=0.2)
adapted.save_pretrained(directory)
