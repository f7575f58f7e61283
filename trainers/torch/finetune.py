"""LoRA finetuning over several processes (DistributedDataParallel), with the loss and schedule of training/finetune.ts."""

import contextlib
import json
import math
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from checkpoints import job_hash, read_newest_checkpoint, restore, write_checkpoint
from models import Model, logits, with_adapter, with_new_adapter
from protocol import JobError, Stopped, read_lines, write_atomically
from sequences import collate


def learning_rate(step, steps, schedule):
    """`linear_warmup_cosine_lr` of MiniGPT-4: the cosine counts from the first step."""
    initial, peak, final, warmup = (schedule[key] for key in ("initial", "peak", "final", "warmupSteps"))
    if step < warmup:
        return initial + (peak - initial) * step / warmup
    return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * step / steps))


def finetune(job, reporter, device):
    rank, world = dist.get_rank(), dist.get_world_size()
    steps, batch_size = job["steps"], job["batchSize"]
    if batch_size < world:
        raise JobError(f"finetune.batchSize: {batch_size} samples can't be shared among {world} processes")
    samples, order = read_lines(job["samples"]), json.loads(Path(job["order"]).read_text())
    if len(order) < steps * batch_size:
        raise JobError(f"{job['order']}: holds {len(order)} samples, but {steps} steps of {batch_size} are asked for")

    model = Model(job["model"], device, job["weightStorage"])
    sequences = tokenized(samples, order[: steps * batch_size], model.prompts, job)
    start = job.get("startAdapter")
    adapted = with_adapter(model, start, trainable=True) if start else with_new_adapter(model, job["lora"], job["seed"])
    parameters = {name: value for name, value in adapted.named_parameters() if value.requires_grad}
    for value in parameters.values():
        value.data = value.data.float()
    optimizer = torch.optim.AdamW(parameters.values(), lr=0.0, weight_decay=job["weightDecay"])

    output = Path(job["output"])
    job_id = job_hash(job, samples, order)
    newest = read_newest_checkpoint(output / "checkpoints", job_id, reporter.note)
    first = newest[0] if newest else 0
    if newest:
        restore(newest[1], first, parameters, optimizer)
        reporter.note(f"resumed at step {first}")
    # Every rank has read it before rank 0 writes the next.
    dist.barrier()
    adapted.train(job["lora"]["dropout"] > 0)
    devices = [device] if device.type == "cuda" else None
    parallel = DistributedDataParallel(adapted, device_ids=devices, broadcast_buffers=False)
    log = LossLog(output / "loss.jsonl", first, rank)

    began, tokens, loss = time.monotonic(), 0, math.nan
    for step in range(first, steps):
        slots = order[step * batch_size : (step + 1) * batch_size]
        rate = learning_rate(step, steps, job["learningRate"])
        for group in optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(job["seed"] * 1_000_003 + step * world + rank)
        loss, seen = step_loss(parallel, model, samples, sequences, slots[rank::world], slots, job)
        if not math.isfinite(loss):
            raise JobError(f"finetune.learningRate: the loss is {loss} at step {step + 1}: training diverged. Lower it")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += seen
        log.write({"step": step + 1, "loss": loss, "learningRate": rate})
        seconds = time.monotonic() - began
        reporter.progress(
            step + 1,
            steps,
            loss=loss,
            learningRate=rate,
            tokensPerSecond=tokens / seconds,
            etaSeconds=seconds / (step + 1 - first) * (steps - step - 1),
        )
        if step + 1 == steps:
            break
        stopping = any_rank(reporter.stop_asked, device)
        if (step + 1) % job["checkpointEverySteps"] == 0 or stopping:
            log.flush()
            if rank == 0:
                uri = write_checkpoint(output / "checkpoints", job_id, step + 1, parameters, optimizer)
                reporter.say("checkpoint", step=step + 1, uri=uri)
        if stopping:
            raise Stopped
    log.close()
    if rank == 0:
        adapted.save_pretrained(output)
        (output / "README.md").unlink(missing_ok=True)
    outputs = ["adapter_model.safetensors", "adapter_config.json", "loss.jsonl"]
    return outputs, {"loss": loss, "steps": steps, "resumedAtStep": first}


def tokenized(samples, used, prompts, job):
    """Sequences by sample; a sample that is used and too long is a person's to mend."""
    sequences = {}
    for index in sorted(set(used)):
        sample = samples[index]
        sequence = prompts.training(sample["prompt"], sample["answer"], job["maximumTokens"])
        if sequence is None:
            raise JobError(f"{job['samples']}:{index + 1}: prompt: is longer than finetune.maximumTokens")
        if sample.get("picture") and not sequence.has_picture:
            raise JobError(f"{job['samples']}:{index + 1}: prompt: has no {prompts.form.picture_mark}")
        sequences[index] = sequence
    return sequences


def step_loss(parallel, model, samples, sequences, own, whole, job):
    """Gradients of the mean loss over the learned tokens of the whole batch. Returns that loss and the tokens seen."""
    world = dist.get_world_size()
    learned = sum(len(sequences[index].ids) - sequences[index].answer_start for index in whole)
    micro = max(1, job["microBatchSize"] // world) if job["microBatchSize"] < job["batchSize"] else len(own)
    parts = [own[at : at + micro] for at in range(0, len(own), micro)]
    total, seen = torch.zeros((), device=model.device), 0
    autocast = torch.autocast(model.device.type, torch.bfloat16, enabled=job["precision"] == "bfloat16")
    for number, part in enumerate(parts):
        batch, labels = collate([sequences[index] for index in part], model.pad, model.device)
        pixels = model.pixels([samples[index]["picture"] for index in part if samples[index].get("picture")])
        synchronised = contextlib.nullcontext() if number + 1 == len(parts) else parallel.no_sync()
        with synchronised:
            with autocast:
                scores = logits(parallel, batch, pixels)
            summed = torch.nn.functional.cross_entropy(
                scores[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100, reduction="sum"
            )
            # The wrapper averages gradients over the processes; a sum over them is what the batch's mean needs.
            (summed * world / learned).backward()
        total += summed.detach() / learned
        seen += batch["input_ids"].numel()
    dist.all_reduce(total)
    return total.item(), seen * world


def any_rank(flag, device):
    value = torch.tensor(1.0 if flag else 0.0, device=device)
    dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return value.item() > 0


class LossLog:
    """loss.jsonl; what an interrupted attempt wrote past the checkpoint is cut off."""

    def __init__(self, file, steps, rank):
        self.stream = None
        if rank != 0:
            return
        kept = []
        if steps > 0:
            for line in file.read_text("utf8").splitlines(keepends=True):
                if line.endswith("\n") and json.loads(line)["step"] <= steps:
                    kept.append(line)
        write_atomically(file, "".join(kept).encode())
        self.stream = open(file, "a", encoding="utf8")

    def write(self, record):
        if self.stream:
            self.stream.write(f"{json.dumps(record)}\n")
            self.stream.flush()

    def flush(self):
        if self.stream:
            self.stream.flush()

    def close(self):
        if self.stream:
            self.stream.close()
