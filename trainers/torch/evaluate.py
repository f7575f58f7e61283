"""Ranks the answers of questions by the mean loss of their tokens, and has answers written."""

import json

import torch
import torch.distributed as dist

from models import Model, logits
from protocol import JobError, Stopped, read_lines, write_atomically
from sequences import Sequence, collate


@torch.no_grad()
def evaluate(job, reporter, device):
    rank, world = dist.get_rank(), dist.get_world_size()
    model = Model(job["model"], device)
    questions = read_lines(job["questions"])
    own = questions[rank::world]
    answered = []
    for start in range(0, len(own), job["batchSize"]):
        for question in own[start : start + job["batchSize"]]:
            answered.append(_answer(question, model))
        reporter.progress(min(len(questions), (start + job["batchSize"]) * world), len(questions))
        if reporter.stop_asked:
            raise Stopped
    gathered = [None] * world
    dist.all_gather_object(gathered, answered)
    if rank == 0:
        found = {one["question_id"]: one for part in gathered for one in part}
        lines = [json.dumps(found[question["question_id"]]) for question in questions]
        write_atomically(job["output"], "".join(f"{line}\n" for line in lines).encode())
    return [job["output"]], {"questions": len(questions)}


def _answer(question, model):
    picture = question.get("picture")
    result = {"question_id": question["question_id"], "losses": _losses(question, picture, model)}
    if question.get("generate"):
        result["text"] = _written(question["generate"], picture, model)
    return result


def _losses(question, picture, model):
    prompts = model.prompts
    prompt = prompts.question_turn(question["question"], picture is not None)
    ids, has_picture = prompts.prompt_ids(prompt)
    start = len(prompts.answer_ids(prompt, question["answerStart"]))
    sequences = [
        Sequence([*ids, *prompts.answer_ids(prompt, answer)], has_picture, len(ids) + start)
        for answer in question["answers"]
    ]
    if not sequences:
        return []
    if any(len(sequence.ids) <= sequence.answer_start for sequence in sequences):
        raise JobError(f"question {question['question_id']}: an answer has no tokens of its own")
    batch, labels = collate(sequences, model.pad, model.device)
    pixels = model.pixels([picture] * len(sequences) if picture else [])
    scores = logits(model.module, batch, pixels)[:, :-1].float()
    losses = torch.nn.functional.cross_entropy(scores.transpose(1, 2), labels[:, 1:], ignore_index=-100, reduction="none")
    counts = (labels[:, 1:] != -100).sum(1)
    return (losses.sum(1) / counts).tolist()


def _written(generate, picture, model):
    """Greedily, up to the end mark."""
    prompts = model.prompts
    ids, _ = prompts.prompt_ids(prompts.question_turn(generate["question"], picture is not None))
    pixels = model.pixels([picture] if picture else [])
    written = []
    for _ in range(generate["maximumNewTokens"]):
        batch, _ = collate([Sequence([*ids, *written], picture is not None, len(ids))], model.pad, model.device)
        written.append(int(logits(model.module, batch, pixels)[0, -1].argmax()))
        text = prompts.tokenizer.decode(written, skip_special_tokens=False)
        if prompts.form.end_mark in text:
            return text.split(prompts.form.end_mark)[0].strip()
        if written[-1] == model.config.text_config.eos_token_id:
            break
    return prompts.tokenizer.decode(written).strip()
