"""LoRA finetuning over several processes, with the loss and schedule of src/trainer/jobs/finetune/finetune.ts."""

import json
import math
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from transformers import AutoConfig

from attention import attention_of
from checkpoints import job_hash_meanwhile, read_newest_checkpoint, write_checkpoint
from feature_cache import feature_cache
from file_hashes import FileHashes
from losses import LateLosses, LossLog
from models import (
    Model, family_of, megabytes, new_adapter, start_training, stored_adapter, token_losses, trainable_parameters,
)
from on_device import on_device
from optimization import Optimization, learning_rate
from preferences import Pairs
from preparation import Preparation, workers_of
from protocol import JobError, Stopped, any_rank, read_lines
from sharing import with_companion
from validation import SCORES_FILE, Validation
from validation_loss import LOSS_FILE, ValidationLoss, stops_early, write_losses

# So many steps at the end have their rewards in the job's metrics, as a mean.
LAST_STEPS = 50


def finetune(job, reporter, device, sharding):
    rank, world = dist.get_rank(), dist.get_world_size()
    steps, batch_size = job["steps"], job["batchSize"]
    if batch_size < world:
        raise JobError(f"finetune.batchSize: {batch_size} samples can't be distributed over {world} processes")
    samples, order = read_lines(job["samples"]), json.loads(Path(job["order"]).read_text())
    if len(order) < steps * batch_size:
        raise JobError(f"{job['order']}: holds {len(order)} samples, but {steps} steps of {batch_size} need more")
    attention = attention_of(job, device)
    preference = job.get("preference")
    # Zero where pairs alone are trained on.
    sft_weight = preference["sftWeight"] if preference else 1

    output = Path(job["output"])
    checkpoints = output / "checkpoints"
    hashes = FileHashes(checkpoints / "weights.json")
    # Other processes need it only where there may be a checkpoint, or what the reference said, to read.
    is_needed = rank == 0 or checkpoints.exists() or preference
    job_id = job_hash_meanwhile(job, samples, order, hashes) if is_needed else None
    # The reference's model is gone before the one that is trained is there.
    pairs, reference = compared_pairs(job, job_id, device, sharding, reporter) if preference else (None, None)
    start = job.get("startAdapter")
    adapt = stored_adapter(start, trainable=True) if start else new_adapter(job["lora"], job["seed"], job.get("trainable"))
    dtypes = job["weightDtype"], job["computeDtype"]
    others = {"sharding": sharding, "image": job.get("image"), "attention": attention}
    model = Model(job["model"], device, job.get("family"), *dtypes, adapt=adapt, **others)
    kept, whole = megabytes(model)
    reporter.note(f"this process keeps {kept:.3f} of {whole:.3f} MB of weights")
    sequences = tokenized(samples, order[: steps * batch_size], model.family, job, reporter) if sft_weight else {}

    first, states, validated, curve = read_newest_checkpoint(checkpoints, job_id, reporter.note)
    start_training(model, job["lora"]["dropout"], job["activationCheckpointing"])
    training = sharding.Training(model.scorer, trainable_parameters(model), Optimization(job), states, first)
    if first:
        reporter.note(f"resumed at step {first}")
    # Every rank has read it before rank 0 writes the next.
    dist.barrier()
    reporter.require_fence()
    log = LossLog(output / "loss.jsonl", curve, rank)
    validation = Validation(job) if job.get("validation") else None
    validation_loss = ValidationLoss(job, validation_sequences(job, model.family, reporter)) if job.get("validationLoss") else None

    def checkpoint(step):
        log.flush()
        states = training.states()
        if rank == 0:
            reporter.require_fence()
            uri = write_checkpoint(checkpoints, job_id(), step, states, validated, log.curve)
            hashes.write()
            reporter.send("checkpoint", step=step, uri=uri)

    def validate(step):
        if validation and validation.due(step, validated):
            late.read(step)
            validated.add(step, validation.score(model, reporter, device), training)
        if validation_loss and validation_loss.due(step, validated):
            late.read(step)
            loss = validation_loss.compute(model, reporter, device)
            validated.add_loss(step, loss, training, validation_loss.settings["keepsBest"])
            if rank == 0:
                write_losses(output, validated.losses)

    def is_last(step):
        """Looks at the state after so many steps."""
        try:
            validate(step)
        except Stopped:
            if step < steps:
                checkpoint(step)
            raise
        return step == steps or validation_loss is not None and stops_early(validated.losses, validation_loss.settings)

    def batch_of(step):
        draws = range(step * batch_size, (step + 1) * batch_size)
        if not sft_weight:
            return []
        drawn = [sequences[order[draw]] for draw in draws]
        if job.get("augmentation") != "random-resized-crop":
            return drawn
        # Of the image, another part each time it is shown.
        return [replace(sequence, crop=f"{job['seed']}/augmentation/{draw}") for draw, sequence in zip(draws, drawn)]

    def parts_of_step(step):
        batch = batch_of(step)
        own = parts_of(batch, job) if batch else []
        yield from (with_companion(part, batch, sharding.SHARDED, lambda sequence: sequence.image) for part in own)
        if pairs:
            yield from pairs.parts(step)

    late = LateLosses(first, steps, log, reporter, sft_weight, pairs)
    step = first

    def train(prepared):
        nonlocal step
        while not is_last(step):
            rate = learning_rate(step, steps, job["learningRate"])
            torch.manual_seed(job["seed"] * 1_000_003 + step * world + rank)
            sums = step_loss(training, prepared, batch_of(step), job, device, reporter.stop_requested, sft_weight, pairs is None)
            if pairs:
                sums = torch.cat([sums, pairs.accumulate(training, prepared, step, reference, device)])
            norm = training.step(rate)
            step += 1
            late.add(step, rate, sums, norm)
            late.read(step - 1)
            if step == steps:
                continue
            # On a CPU nothing is started ahead: asking takes no time there, and a step may take long.
            stopping = any_rank(reporter.stop_requested, device) if device.type == "cpu" else late.stopping
            if step % job["checkpointEverySteps"] == 0 or stopping:
                late.read(step)
                checkpoint(step)
            if stopping:
                raise Stopped

    parts = (part for step in range(first, steps) for part in parts_of_step(step))
    images_at_once = max(map(len, parts_of(range(batch_size), job)))
    with Preparation(model.family, device, workers_of(job, device)) as preparation:
        train(preparation.ahead(parts, feature_cache(model, job, images_at_once)))
    late.read(step)
    loss = late.loss
    if step < steps:
        reporter.note(f"stopped after step {step} of {steps}: the validation loss did not improve")
    log.close()
    adapter = {name: parameter for name, (parameter, *_) in training.states().items()} | validated.parameters
    if rank == 0:
        reporter.require_fence()
        model.module.save_pretrained(output, state_dict=adapter)
        (output / "README.md").unlink(missing_ok=True)
    outputs = ["adapter_model.safetensors", "adapter_config.json", "loss.jsonl"]
    metrics = {"loss": loss, "steps": step, "resumedAtStep": first}
    if pairs:
        metrics |= mean_rewards(log.curve)
    best = validated.best or {"step": step}
    if validation:
        if rank == 0:
            validated.write(output)
        outputs.append(SCORES_FILE)
        metrics |= {"keptStep": best["step"], "validationScore": best.get("score", 0)}
    if validation_loss:
        if rank == 0:
            write_losses(output, validated.losses)
        outputs.append(LOSS_FILE)
        losses = [one["loss"] for one in validated.losses]
        keeps_best = validation_loss.settings["keepsBest"]
        metrics |= {"keptStep": best["step"], "validationLoss": min(losses)} if keeps_best else {"validationLoss": losses[-1]}
    return outputs, metrics


def compared_pairs(job, job_id, device, sharding, reporter):
    """The preference pairs of a job, and what their reference says of them."""
    try:
        config = AutoConfig.from_pretrained(job["model"], trust_remote_code=False)
        family = family_of(job["model"], config, device, job.get("family"), job.get("image"))
    except (OSError, ValueError) as error:
        raise JobError(f"{job['model']}: {error}") from error

    def tokenized_pairs(file, samples, used):
        return tokenized(samples, used, family, job | {"samples": file}, reporter)

    pairs = Pairs(job, sharding.SHARDED, tokenized_pairs)
    return pairs, pairs.reference(job, Path(job["output"]) / "checkpoints", job_id(), device, sharding, reporter)


def mean_rewards(curve):
    """Of the last steps; only rank 0 has the curve."""
    records = [json.loads(line) for line in curve[-LAST_STEPS:]]
    if not records:
        return {}
    return {key: sum(one[key] for one in records) / len(records) for key in ("rewardMargin", "rewardAccuracy")}


def validation_sequences(job, family, reporter):
    """Of the samples of the validation loss, in their order."""
    file = job["validationLoss"]["samples"]
    samples = read_lines(file)
    return list(tokenized(samples, range(len(samples)), family, job | {"samples": file}, reporter).values())


def tokenized(samples, used, family, job, reporter):
    """Sequences by sample. Raises JobError for one that is used and must not be as long, or when nothing is left to learn."""
    maximum, whole, sequences, shortened = job["maximumTokens"], job.get("maximumSequence"), {}, 0
    for index in sorted(set(used)):
        place = f"{job['samples']}:{index + 1}"
        try:
            sequence = family.training(samples[index], maximum)
            in_tokens = sequence.cut
            sequence, beyond = family.within(sequence, whole) if whole else (sequence, 0)
        except (JobError, ValueError) as error:
            # ValueError: what processors raise for images of shapes that they don't take.
            raise JobError(f"{place}: {error}") from error
        shortened += beyond > 0
        if in_tokens and job.get("tooLong") == "error":
            raise JobError(
                f"{place}: prompt: with its answer has {maximum + in_tokens} tokens; finetune.maximumTokens is {maximum}. "
                "Raise finetune.maximumTokens or drop the sample"
            )
        if beyond and job.get("tooLong") == "error":
            raise JobError(
                f"{place}: prompt: has {whole + beyond} tokens in all; finetune.maximumSequence is {whole}. Raise "
                "finetune.maximumSequence or drop the sample"
            )
        sequences[index] = sequence
    cut = sum(sequence.cut > 0 for sequence in sequences.values())
    empty = sum(sequence.learned == 0 for sequence in sequences.values())
    limits = [f"finetune.maximumTokens ({maximum})"] if cut > shortened or not shortened else []
    limit = " or ".join([*limits, *([f"finetune.maximumSequence ({whole})"] if shortened else [])])
    if empty == len(sequences):
        raise JobError(
            f"{job['samples']}: prompt: is longer than {limit} in every sample: nothing is left to learn. Raise "
            f"{limit.replace(f' ({maximum})', '')}"
        )
    if cut:
        reporter.note(
            f"{cut} of {len(sequences)} samples are cut to {limit}; of {empty} of them nothing is left to learn"
        )
    return sequences


def token_weights(batch, group_size):
    """
    What each sample's learned tokens weigh in the loss of their batch: the mean over its groups of the mean over the group's
    tokens. Groups in which nothing is learned don't count.
    """
    starts = range(0, len(batch), group_size)
    learned = [sum(sequence.learned for sequence in batch[start : start + group_size]) for start in starts]
    groups = sum(count > 0 for count in learned)
    return [1 / (groups * learned[at // group_size]) if learned[at // group_size] else 0.0 for at in range(len(batch))]


def parts_of(batch, job):
    """
    A process's share of a batch, in parts that are computed one after another; as many parts on each process, so the last
    may be empty.
    """
    rank, world = dist.get_rank(), dist.get_world_size()
    own, most = batch[rank::world], math.ceil(len(batch) / world)
    micro = max(1, job["microBatchSize"] // world) if job["microBatchSize"] < job["batchSize"] else most
    return [own[at : at + micro] for at in range(0, most, micro)]


def step_loss(training, prepared, batch, job, device, asked_to_stop, weight, closes):
    """
    Gradients of the loss of the whole batch, times a weight. Returns that loss, the number of tokens, and how many processes were
    asked to stop, as a tensor that the device may still be computing. `closes`: whether nothing more is computed in this step.
    """
    world = dist.get_world_size()
    parts, weights = [], []
    if batch:
        # What the learned tokens of each sample of this process weigh.
        of_samples = [weight * one for one in token_weights(batch, job.get("groupSize") or len(batch))]
        parts, weights = parts_of(batch, job), parts_of(of_samples, job)
    total, tokens = torch.zeros((), device=device), 0
    for number, part in enumerate(parts):
        given = next(prepared)
        with training.part(closes and number + 1 == len(parts)):
            losses, counted = token_losses(training.scorer, given.inputs, given.labels, given.first)
            sums = (losses * counted).sum(1)[: len(part)]
            loss = (sums * on_device(torch.tensor(weights[number]), device)).sum()
            # Gradients are averaged over the processes; a sum over them is what the batch's mean needs.
            training.backward(loss * world)
        total += loss.detach()
        tokens += given.inputs["input_ids"].numel()
    counts = on_device(torch.tensor([tokens, asked_to_stop], dtype=torch.float64), device)
    sums = torch.cat([total.double().reshape(1), counts])
    dist.all_reduce(sums)
    return sums
