"""PyTorch's side of the benchmarks: reads a request a line, answers with a line, until its input ends.

usage: side.py {train,score} --model DIR [--adapter DIR] --threads N [--compile] [--autocast]

train: {"tokens": [[...]], "answerStart": n, "learningRate": x} -> {"loss", "seconds", "cpuSeconds"}
score: {"prompt": [...], "choices": [[...]], "batched": bool}   -> {"losses", "seconds", "cpuSeconds"}
"""

import argparse
import json
import sys
import time

import torch
from llama import Llama


def train(model, arguments):
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, weight_decay=arguments.weight_decay, fused=True)
    losses = torch.compile(model.losses) if arguments.compile else model.losses

    def step(request):
        ids = torch.tensor(request["tokens"])
        for group in optimizer.param_groups:
            group["lr"] = request["learningRate"]
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.autocast):
            loss = losses(ids, request["answerStart"]).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return {"loss": loss.item()}

    return step


def score(model, arguments):
    def step(request):
        prompt, choices = request["prompt"], request["choices"]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=arguments.autocast):
            if request["batched"]:
                ids = torch.tensor([prompt + choice for choice in choices])
                return {"losses": model.losses(ids, len(prompt)).mean(1).tolist()}
            return {
                "losses": [model.losses(torch.tensor([prompt + choice]), len(prompt)).mean().item() for choice in choices]
            }

    return step


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=["train", "score"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--autocast", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = Llama(arguments.model, arguments.adapter)
    step = {"train": train, "score": score}[arguments.task](model, arguments)
    print(json.dumps({"ready": f"PyTorch {torch.__version__}"}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        started, cpu = time.perf_counter(), time.process_time()
        answer = step(request)
        timing = {"seconds": time.perf_counter() - started, "cpuSeconds": time.process_time() - cpu}
        print(json.dumps(answer | timing), flush=True)


main()
