"""`generate` of transformers, for the serving benchmark: reads a request a line, answers with a line, until its input ends.

usage: generate.py --model DIR --threads N

{"prompts": [[...], ...], "tokens": n} -> {"written": [[...], ...], "seconds", "cpuSeconds"}; greedily, so many tokens each.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from transformers import LlamaConfig, LlamaForCausalLM

PREFIX = "language_model."


def load(directory):
    """The language model of a MiniGPT-4."""
    config = json.loads((Path(directory) / "config.json").read_text())["text_config"]
    known = {name: value for name, value in config.items() if name != "rope_scaling"}
    module = LlamaForCausalLM(LlamaConfig(**known)).eval()
    with safe_open(Path(directory) / "model.safetensors", "pt") as file:
        names = [name for name in file.keys() if name.startswith(PREFIX)]
        found = module.load_state_dict({name.removeprefix(PREFIX): file.get_tensor(name) for name in names}, strict=False)
    if set(found.missing_keys) - {"lm_head.weight"} or found.unexpected_keys:
        raise SystemExit(f"the weights do not fit: {found}")
    module.tie_weights()
    return module


@torch.inference_mode()
def generate(module, prompts, tokens):
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    settings = transformers.GenerationConfig(max_new_tokens=tokens, do_sample=False, pad_token_id=0, eos_token_id=None)
    written = module.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
    return written[:, longest:].tolist()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    module = load(arguments.model)
    print(json.dumps({"ready": f"transformers {transformers.__version__}, PyTorch {torch.__version__}"}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        started, cpu = time.perf_counter(), time.process_time()
        written = generate(module, request["prompts"], request["tokens"])
        timing = {"seconds": time.perf_counter() - started, "cpuSeconds": time.process_time() - cpu}
        print(json.dumps({"written": written} | timing), flush=True)


main()
