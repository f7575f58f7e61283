"""Ranks the answers of questions by the mean loss of their tokens, and has answers written."""

import json

import torch
import torch.distributed as dist

from models import Model, token_losses
from protocol import JobError, Stopped, any_rank, read_lines, write_atomically


@torch.no_grad()
def evaluate(job, reporter, device, sharded):
    model = Model(job["model"], device, job.get("weightStorage", "float32"), sharded=sharded)
    questions = read_lines(job["questions"])
    ranked = [one for one in questions if one["answers"]]
    asked = [one for one in questions if one.get("generate")]
    steps = len(ranked) + len(asked)
    losses = _shared_out(ranked, lambda one: _losses(one, model), Progress(reporter, device, 0, steps))

    def write(question):
        asking = question["generate"]
        maximum = asking["maximumNewTokens"]
        return model.family.written(asking["question"], question.get("picture"), maximum, model.scorer, sharded)

    texts = _shared_out(asked, write, Progress(reporter, device, len(ranked), steps))
    if dist.get_rank() == 0:
        lines = []
        for question in questions:
            name = question["question_id"]
            text = {"text": texts[name]} if name in texts else {}
            lines.append(f"{json.dumps({'question_id': name, 'losses': losses.get(name, []), **text})}\n")
        write_atomically(job["output"], "".join(lines).encode())
    return [job["output"]], {"questions": len(questions)}


class Progress:
    def __init__(self, reporter, device, before, steps):
        self.reporter, self.device, self.before, self.steps = reporter, device, before, steps

    def say(self, done):
        self.reporter.progress(self.before + done, self.steps)
        if any_rank(self.reporter.stop_asked, self.device):
            raise Stopped


def _shared_out(questions, answer, progress):
    """
    Question id → answer, each found by one process. All make as many turns of the same kind, for a sharded model is computed
    by all at once: whoever has no question left answers the first one again, for nothing.
    """
    rank, world = dist.get_rank(), dist.get_world_size()
    found, done = {}, 0
    with_picture = [one for one in questions if one.get("picture")]
    without = [one for one in questions if not one.get("picture")]
    for alike in (with_picture, without):
        for start in range(0, len(alike), world):
            at = start + rank
            answered = answer(alike[at if at < len(alike) else 0])
            if at < len(alike):
                found[alike[at]["question_id"]] = answered
            done += min(world, len(alike) - start)
            progress.say(done)
    gathered = [None] * world
    dist.all_gather_object(gathered, found)
    return {name: answered for part in gathered for name, answered in part.items()}


def _losses(question, model):
    sequences = model.family.answers(question)
    if any(sequence.learned <= 0 for sequence in sequences):
        raise JobError(f"question {question['question_id']}: an answer has no tokens of its own")
    losses, counted = token_losses(model.scorer, *model.family.collate(sequences))
    return ((losses * counted).sum(1) / counted.sum(1)).tolist()
