"""Ranks the answers of questions by the mean loss of their tokens, and has answers written."""

import json
import math
from contextlib import contextmanager

import torch
import torch.distributed as dist

from built_in_family import BuiltInFamily
from images import images_of
from key_values import losses_of_answers, written_texts
from models import Model, token_losses
from protocol import JobError, read_lines, write_atomically
from sharing import Progress, distributed


@torch.no_grad()
def evaluate(job, reporter, device, sharding):
    weight_dtype, compute_dtype = job.get("weightDtype", "float32"), job.get("computeDtype", "float32")
    model = Model(job["model"], device, job.get("family"), weight_dtype, compute_dtype, sharding=sharding, image=job.get("image"))
    questions = read_lines(job["questions"])
    for question in questions:
        with _naming([question]):
            model.family.check(question.get("image"))
            model.family.check_images(len(images_of(question)))
    ranked = [one for one in questions if one["answers"]]
    to_write = [one for one in questions if one.get("generate")]
    progress = Progress(reporter, device, len(ranked) + len(to_write))
    keeps = job.get("keyValueCache", True)
    losses = answer_losses(ranked, model, job["batchSize"], progress, keeps)
    texts = _written(to_write, model, job["batchSize"], progress, keeps)
    if dist.get_rank() == 0:
        lines = []
        for question in questions:
            name = question["question_id"]
            text = {"text": texts[name]} if name in texts else {}
            lines.append(f"{json.dumps({'question_id': name, 'losses': losses.get(name, []), **text})}\n")
        reporter.require_fence()
        write_atomically(job["output"], "".join(lines).encode())
    return [job["output"]], {"questions": len(questions)}


def answer_losses(questions, model, batch_size, progress, keeps=True):
    """Question id → the mean loss of each of its answers; all processes must call this alike, and all get all."""
    parts = math.ceil(max((len(one["answers"]) for one in questions), default=0) / batch_size)
    if model.sharded:
        # Parts and their lengths must be alike on all processes.
        return _distributed(questions, lambda group: [_losses(one, model, batch_size, parts) for one in group], progress)
    keeps = keeps and isinstance(model.family, BuiltInFamily)

    def ranked(group):
        asked = [_sequences(one, model) for one in group]
        found = losses_of_answers(model, asked, batch_size) if keeps else None
        return found or [_losses(one, model, batch_size) for one in group]

    return _distributed(questions, ranked, progress, batch_size if keeps else 1, lambda one: len(one["answers"]))


def _written(questions, model, batch_size, progress, keeps):
    """Question id → what the model writes."""
    family = model.family

    def written(group):
        requests = [(one["generate"], images_of(one)) for one in group]
        if not isinstance(family, BuiltInFamily):
            return [family.written(request, images, model) for request, images in requests]
        asked = [(family.prompt(request, images), request["maximumNewTokens"]) for request, images in requests]
        return written_texts(model, asked) if keeps else [family.written_anew(*one, model) for one in asked]

    return _distributed(questions, written, progress, batch_size if keeps and isinstance(family, BuiltInFamily) else 1)


def _distributed(questions, answer, progress, most=1, size=lambda _question: 1):
    """
    Question id → answer. `answer` gives those of a group of questions whose sizes add up to `most` at most, or of one. Those with an
    image and those without are computed in different ways.
    """

    def answered(group):
        with _naming(group):
            return answer(group)

    alike = [[one for one in questions if bool(one.get("image")) == shown] for shown in (True, False)]
    found = {}
    for some in alike:
        groups = _groups(some, most, size)
        for group, answers in zip(groups, distributed(groups, answered, progress, len), strict=True):
            found |= {question["question_id"]: one for question, one in zip(group, answers, strict=True)}
    return found


def _groups(questions, most, size):
    # Each process has its share of them.
    longest = math.ceil(len(questions) / dist.get_world_size())
    groups, room = [], 0
    for question in questions:
        if not groups or size(question) > room or len(groups[-1]) == longest:
            groups.append([])
            room = most
        groups[-1].append(question)
        room -= size(question)
    return groups


class NamedError(JobError):
    """It names its question."""


@contextmanager
def _naming(questions):
    """Errors name the question, or those that are answered together."""
    try:
        yield
    except NamedError:
        raise
    except (JobError, ValueError) as error:
        # ValueError: what transformers' processors and models raise for inputs that don't fit together.
        first, last = questions[0]["question_id"], questions[-1]["question_id"]
        names = f"question {first}" if len(questions) == 1 else f"a question from {first} to {last}"
        raise NamedError(f"{names}: {error}") from error


def _sequences(question, model):
    with _naming([question]):
        sequences = model.family.answers(question)
        if any(sequence.learned <= 0 for sequence in sequences):
            raise JobError("an answer has no tokens of its own")
    return sequences


def _losses(question, model, batch_size, parts=None):
    """So many answers at a time; with a sharded model in as many parts as any question has, some of them discarded."""
    sequences = _sequences(question, model)
    found = []
    for start in range(0, len(sequences) if parts is None else parts * batch_size, batch_size):
        part = sequences[start : start + batch_size]
        losses, counted = token_losses(model.scorer, *model.family.collate(part or sequences[:1]))
        found += ((losses * counted).sum(1) / counted.sum(1)).tolist()[: len(part)]
    return found
