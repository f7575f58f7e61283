"""The PyTorch trainer beside what a user would run instead, on a GPU or the CPU: needs no Node, no network, and no files but gpu_files.py.

usage: gpu.py WORK tiny|150m|7b [phase ...]

`7b` has the reference's shapes (LLaMA-7B, EVA ViT-g, Q-Former), the others are LLaVA-1.5. Weights are random, in bfloat16 and computed
so for `7b`, else in float32. A JSON line a phase; `files` comes first, the others in any order, and with none named in this one:

  ours finetune     a LoRA step by the trainer (launch.py), from the start to its first loss, and the peak of memory
  peer finetune     the same by transformers.Trainer and PEFT, images by as many loader workers as make it fast
  ours parts        a step in parts of 4, with activations recomputed
  peer computing    a step of the whole batch whose inputs lie ready
  ours ranking      a question of 4 choices by an evaluate job, 16 questions at once
  peer ranking      the same by one forward of all their choices, inputs ready
  ours writing      an answer of 24 tokens by an evaluate job, 16 at once
  peer writing      the same by `generate`, inputs ready
  ours merge        the adapter of `ours finetune` merged, checked and written
  peer merge        the same by merge_and_unload and save_pretrained
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from gpu_files import BATCH, FORMS, NEW_TOKENS, SHAPES, gigabytes, write_files

HERE = Path(__file__).resolve()
TRAINER = HERE.parents[2] / "src/trainer/torch"
PHASES = ["files", *(f"{side} {what}" for what in ("finetune", "merge", "ranking", "writing") for side in ("ours", "peer"))]
PHASES[3:3] = ["ours parts", "peer computing"]

LORA = {"rank": 8, "alpha": 16, "dropout": 0.05, "targetModules": ["q_proj", "k_proj"]}


class Bench:
    def __init__(self, work, size):
        self.work, self.size, self.shape = Path(work).resolve(), size, SHAPES[size]
        self.family = "minigpt4" if size == "7b" else "llava"
        self.model, self.dtype = self.work / "model", "bfloat16" if size == "7b" else "float32"
        self.steps, self.questions = {"tiny": (6, 16), "150m": (8, 32), "7b": (40, 96)}[size]
        shape = self.shape
        tokens = 32 if size == "7b" else (shape["image"] // shape["patch"]) ** 2
        special = {"begin": 0, "ends": [1], "pad": 2}
        self.job_family = {"promptForm": FORMS[self.family], "imageTokens": tokens, "specialIds": special}

    def lines(self, name):
        return [json.loads(line) for line in (self.work / name).read_text().splitlines()]

    def write(self, name, value):
        (self.work / name).write_text(json.dumps(value))
        return str(self.work / name)

    def write_lines(self, name, values):
        (self.work / name).write_text("".join(f"{json.dumps(one)}\n" for one in values))

    # Jobs of the trainer.

    def finetune_job(self, output, **changes):
        rate = {"initial": 1e-6, "peak": 3e-4, "final": 1e-5, "warmupSteps": 2}
        return {
            **{"kind": "finetune", "model": str(self.model), "family": self.job_family, "output": str(self.work / output)},
            **{"samples": str(self.work / "samples.jsonl"), "order": str(self.work / "order.json"), "lora": LORA, "weightDecay": 0.05},
            **{"learningRate": rate, "steps": self.steps, "batchSize": BATCH, "microBatchSize": BATCH, "maximumTokens": 160, "seed": 1},
            **{"activationCheckpointing": False, "computeDtype": self.dtype, "weightDtype": self.dtype, "checkpointEverySteps": 1000},
            **changes,
        }

    def evaluate_job(self, questions, at_once):
        files = {"questions": str(self.work / f"{questions}.jsonl"), "output": str(self.work / f"{questions}.out")}
        dtypes = {"computeDtype": self.dtype, "weightDtype": self.dtype}
        return {"kind": "evaluate", "model": str(self.model), "family": self.job_family, "batchSize": at_once, **files, **dtypes}

    def merge_job(self):
        parity = {"samples": str(self.work / "parity.jsonl"), "count": 3, "tolerance": 0.05 if self.dtype == "bfloat16" else 1e-3}
        named = {"adapter": str(self.work / "adapter"), "output": str(self.work / "merged-ours"), "parity": parity}
        return {"kind": "merge", "model": str(self.model), "family": self.job_family, **named}

    def launch(self, job):
        """Through launch.py, as a worker does. Messages with their times, and the peak of memory in MiB."""
        named = f"{job['kind']}-job"
        file = self.write(f"{named}.json", job)
        variables = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONDONTWRITEBYTECODE": "1"}
        began, messages = time.monotonic(), []
        with open(self.work / f"{named}.log", "w") as log:
            command = [sys.executable, str(TRAINER / "launch.py"), "1", "none", file]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=variables, text=True)
            with Peak(child.pid) as peak:
                for line in child.stdout:
                    if line.startswith("{"):
                        messages.append({**json.loads(line), "at": time.monotonic() - began})
                child.wait()
        if child.returncode:
            said = (self.work / f"{named}.log").read_text()[-1500:]
            raise RuntimeError(f"{job['kind']} ended with {child.returncode}: {messages[-1:]} {said}")
        return messages, peak.mebibytes


class Peak:
    """The most memory that a process tree's largest process has held, in MiB; of the GPU, where there is one."""

    def __init__(self, pid):
        self.pid, self.mebibytes, self.on = pid, 0.0, True
        try:
            import pynvml

            pynvml.nvmlInit()
            self.gpu = lambda: pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).used / 2**20
        except Exception:
            self.gpu = None

    def __enter__(self):
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.on = False
        self.thread.join()

    def _look(self):
        while self.on:
            held = self.gpu() if self.gpu else max(map(_peak_of, _tree(self.pid)), default=0.0)
            self.mebibytes = max(self.mebibytes, held)
            time.sleep(0.1)


def _tree(pid):
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                pass
    return found


def _peak_of(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def pace(messages):
    """Seconds a step, from the second to the last that was told, and from the start to the first."""
    told = [one for one in messages if one["type"] == "progress"]
    first, last = told[min(1, len(told) - 2)], told[-1]
    return (last["at"] - first["at"]) / (last["step"] - first["step"]), told[0]["at"]


def ours(bench, what):
    if what == "finetune":
        shutil.rmtree(bench.work / "adapter", ignore_errors=True)
        messages, peak = bench.launch(bench.finetune_job("adapter"))
        seconds, start = pace(messages)
        curve = [one["loss"] for one in bench.lines("adapter/loss.jsonl")]
        return {"seconds": seconds, "startSeconds": start, "peakMiB": peak, "losses": [curve[0], curve[-1]]}
    if what == "parts":
        changes = {"microBatchSize": 4, "activationCheckpointing": True, "steps": min(20, bench.steps)}
        messages, peak = bench.launch(bench.finetune_job(f"adapter-parts-{time.time_ns()}", **changes))
        return {"seconds": pace(messages)[0], "peakMiB": peak}
    if what in ("ranking", "writing"):
        messages, peak = bench.launch(bench.evaluate_job("ranked" if what == "ranking" else "written", 64 if what == "ranking" else 16))
        # Of the work alone: from when the first questions could start to the last answer.
        told = [one for one in messages if one["type"] == "progress"]
        questions = told[-1]["step"] - (told[0]["step"] if len(told) > 1 else 0)
        since = told[0]["at"] if len(told) > 1 else next(one["at"] for one in messages if one["type"] == "started")
        return {"seconds": (told[-1]["at"] - since) / questions, "peakMiB": peak}
    shutil.rmtree(bench.work / "merged-ours", ignore_errors=True)
    messages, peak = bench.launch(bench.merge_job())
    return {"seconds": messages[-1]["at"], "peakMiB": peak, "gigabytes": gigabytes(bench.work / "merged-ours")}


def peer(bench, what, began):
    """What a user would run instead, on the same inputs as the trainer's."""
    sys.path.insert(0, str(TRAINER))
    import torch
    from models import family_of
    from transformers import AutoConfig, AutoModelForImageTextToText

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, bench.dtype)
    module = AutoModelForImageTextToText.from_pretrained(bench.model, dtype=dtype, device_map={"": device}).eval()
    if what == "merge":
        from peft import PeftModel

        merged = PeftModel.from_pretrained(module, bench.work / "adapter").merge_and_unload()
        merged.save_pretrained(bench.work / "merged-peer")
        return {"seconds": time.monotonic() - began, "gigabytes": gigabytes(bench.work / "merged-peer")}
    family = family_of(str(bench.model), AutoConfig.from_pretrained(bench.model), torch.device("cpu"), bench.job_family)
    autocast = torch.autocast(device, torch.bfloat16, enabled=bench.dtype == "bfloat16")

    def placed(sequences):
        return {name: value.to(device) for name, value in family.collate(sequences)[0].items()}

    def seconds(work, times):
        work()
        torch.cuda.synchronize() if device == "cuda" else None
        since = time.perf_counter()
        for _ in range(times):
            work()
        torch.cuda.synchronize() if device == "cuda" else None
        return (time.perf_counter() - since) / times

    if what in ("ranking", "writing"):
        with torch.no_grad(), autocast:
            asked = bench.lines("ranked.jsonl" if what == "ranking" else "written.jsonl")[:16]
            if what == "ranking":
                inputs = placed([one for question in asked for one in family.answers(question)])
                return {"seconds": seconds(lambda: module(**inputs, use_cache=False), 2) / 16}
            from key_values import padded_left

            inputs = padded_left(placed([family.prompt(one["generate"], [one["image"]]) for one in asked]))
            limits = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "pad_token_id": 2}
            return {"seconds": seconds(lambda: module.generate(**inputs, **limits), 2) / 16}

    from peft import LoraConfig, get_peft_model

    module.requires_grad_(False)
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules=r".*language_model.*\.(q_proj|k_proj)", task_type="CAUSAL_LM")
    module = get_peft_model(module, lora)
    trained = [value for value in module.parameters() if value.requires_grad]
    for value in trained:
        value.data = value.data.float()
    samples, order = bench.lines("samples.jsonl"), json.loads((bench.work / "order.json").read_text())
    sequences = [family.training(samples[at], 160) for at in order]
    if what == "computing":
        inputs, labels = family.collate(sequences[:BATCH])
        inputs, labels = {name: value.to(device) for name, value in inputs.items()}, labels.to(device)
        optimizer = torch.optim.AdamW(trained, lr=1e-4)

        def step():
            with autocast:
                logits = module(**inputs, use_cache=False).logits
            torch.nn.functional.cross_entropy(logits[:, :-1].float().transpose(1, 2), labels[:, 1:], ignore_index=-100).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return {"seconds": seconds(step, bench.steps // 2)}
    return _trained_by_trainer(bench, module, family, sequences, device, began)


def _trained_by_trainer(bench, module, family, sequences, device, began):
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    times = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_, **__):
            times.append(time.monotonic())

    def collated(some):
        torch.set_num_threads(1)
        inputs, labels = family.collate(some)
        return {**inputs, "labels": labels}

    workers = min(8, os.cpu_count() - 1) if device == "cuda" else 1
    arguments = TrainingArguments(
        **{"output_dir": str(bench.work / "peer"), "max_steps": bench.steps, "per_device_train_batch_size": BATCH, "learning_rate": 3e-4},
        **{"weight_decay": 0.05, "logging_steps": 1, "save_strategy": "no", "report_to": [], "dataloader_num_workers": workers},
        **{"remove_unused_columns": False, "max_grad_norm": 0.0, "bf16": bench.dtype == "bfloat16", "use_cpu": device == "cpu"},
    )
    with Peak(os.getpid()) as peak:
        Trainer(model=module, args=arguments, train_dataset=sequences, data_collator=collated, callbacks=[Clock()]).train()
    first = min(1, len(times) - 2)
    return {"seconds": (times[-1] - times[first]) / (len(times) - 1 - first), "startSeconds": times[0] - began, "peakMiB": peak.mebibytes}


def _inside(phase):
    """The phase in a process of its own, which gives its memory back."""
    variables = {**os.environ, "BENCH_INSIDE": phase, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run([sys.executable, HERE, *sys.argv[1:3], phase], env=variables, stdout=subprocess.PIPE, text=True, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"phase"')]
    return told[-1] if told else {"error": f"ended with {done.returncode}"}


def main():
    began = time.monotonic()
    work, size, *phases = sys.argv[1:]
    bench = Bench(work, size)
    bench.work.mkdir(parents=True, exist_ok=True)
    failed = False
    for phase in phases or PHASES:
        side, _, what = phase.partition(" ")
        try:
            if side == "ours":
                figures = ours(bench, what)
            elif os.environ.get("BENCH_INSIDE") == phase:
                figures = write_files(bench) if side == "files" else peer(bench, what, began)
            else:
                figures = _inside(phase)
        except Exception as error:
            figures = {"error": f"{type(error).__name__}: {error}"[-1500:]}
        failed = failed or "error" in figures
        print(json.dumps({"phase": phase, **figures}), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
