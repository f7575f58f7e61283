"""Ranks the answers of questions by the mean loss of their tokens, and has answers written."""

import json
import math
from contextlib import contextmanager

import torch
import torch.distributed as dist

from images import images_of
from models import Model, token_losses
from protocol import JobError, read_lines, write_atomically
from sharing import Progress, distributed


@torch.no_grad()
def evaluate(job, reporter, device, sharding):
    weight_dtype, compute_dtype = job.get("weightDtype", "float32"), job.get("computeDtype", "float32")
    model = Model(job["model"], device, job.get("family"), weight_dtype, compute_dtype, sharding=sharding, image=job.get("image"))
    questions = read_lines(job["questions"])
    for question in questions:
        with _naming(question):
            model.family.check(question.get("image"))
            model.family.check_images(len(images_of(question)))
    ranked = [one for one in questions if one["answers"]]
    to_write = [one for one in questions if one.get("generate")]
    progress = Progress(reporter, device, len(ranked) + len(to_write))
    losses = answer_losses(ranked, model, job["batchSize"], progress)

    def write(question):
        request = question["generate"]
        asked = request["question"], images_of(question), request["maximumNewTokens"]
        return model.family.written(*asked, model.scorer, model.sharded, request.get("trimsTurn", False))

    texts = _distributed(to_write, write, progress)
    if dist.get_rank() == 0:
        lines = []
        for question in questions:
            name = question["question_id"]
            text = {"text": texts[name]} if name in texts else {}
            lines.append(f"{json.dumps({'question_id': name, 'losses': losses.get(name, []), **text})}\n")
        write_atomically(job["output"], "".join(lines).encode())
    return [job["output"]], {"questions": len(questions)}


def answer_losses(questions, model, batch_size, progress):
    """Question id → the mean loss of each of its answers; all processes must call this alike, and all get all."""
    parts = math.ceil(max((len(one["answers"]) for one in questions), default=0) / batch_size)
    return _distributed(questions, lambda one: _losses(one, model, batch_size, parts if model.sharded else None), progress)


def _distributed(questions, answer, progress):
    """Question id → answer. Those with an image and those without are computed in different ways."""

    def answered(question):
        with _naming(question):
            return answer(question)

    alike = [[one for one in questions if bool(one.get("image")) == shown] for shown in (True, False)]
    return {
        question["question_id"]: found
        for group in alike
        for question, found in zip(group, distributed(group, answered, progress), strict=True)
    }


@contextmanager
def _naming(question):
    """Errors name the question."""
    try:
        yield
    except (JobError, ValueError) as error:
        # ValueError: what transformers' processors and models raise for inputs that don't fit together.
        raise JobError(f"question {question['question_id']}: {error}") from error


def _losses(question, model, batch_size, parts):
    """So many answers at a time; with a sharded model in as many parts as any question has, some of them discarded."""
    sequences = model.family.answers(question)
    if any(sequence.learned <= 0 for sequence in sequences):
        raise JobError("an answer has no tokens of its own")
    found = []
    for start in range(0, len(sequences) if parts is None else parts * batch_size, batch_size):
        part = sequences[start : start + batch_size]
        losses, counted = token_losses(model.scorer, *model.family.collate(part or sequences[:1]))
        found += ((losses * counted).sum(1) / counted.sum(1)).tolist()[: len(part)]
    return found
