"""
What transformers makes of a model's own files: `check-asking.py ids <directory> <file>` prints, for each of the file's
conversations, the ids of `AutoProcessor.apply_chat_template`; `texts <directory> <file>` text and ids by `AutoTokenizer`; `written <directory> <file> <count>` prints greedy answers by
the model's generation_config.json alone; `families <image> <image> <directory>…` holds families against what is trained on.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer, GenerationConfig

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
from asking import write_asking_files  # noqa: E402
from models import Model  # noqa: E402
from processors import processor_of  # noqa: E402
from protocol import JobError  # noqa: E402


def turn(role, *content, **marks):
    return {"role": role, "content": [{"text": part} if isinstance(part, str) else part for part in content], **marks}


def samples(one, other):
    one, other = {"image": one}, {"image": other}
    first = [turn("user", one, "Where is the cat?"), turn("assistant", "It is left.", learned=False)]
    second = [turn("user", "How many?"), turn("assistant", "Three.")]
    return {
        "one turn": [turn("user", one, "Where is the cat?"), turn("assistant", "It is left.")],
        "without image": second,
        "several turns": [*first, *second],
        "three turns": [*first, turn("user", "And here?"), turn("assistant", "No.", learned=False), *second],
        "system prompt": [turn("system", "Be brief."), *first, *second],
        "several images": [turn("user", one, other, "Which is red?"), turn("assistant", "The first.")],
        "later image": [*first, turn("user", other, "And here?"), turn("assistant", "It is right.")],
    }


def messages_of(turns):
    parts = [[{"type": "text", **part} if "text" in part else {"type": "image", "path": part["image"]} for part in one["content"]] for one in turns]
    return [{"role": one["role"], "content": content} for one, content in zip(turns, parts)]


def encoded(processor, turns, generation=False):
    given = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
    return processor.apply_chat_template(messages_of(turns), add_generation_prompt=generation, **given)


def ids(directory, file):
    processor = AutoProcessor.from_pretrained(directory)
    asked = json.loads(Path(file).read_text("utf8"))
    print(json.dumps([{"ids": encoded(processor, one["turns"], one["generation"])["input_ids"][0].tolist()} for one in asked]))


def texts(directory, file):
    tokenizer = AutoTokenizer.from_pretrained(directory)
    found = []
    for one in json.loads(Path(file).read_text("utf8")):
        text = tokenizer.apply_chat_template(messages_of(one["turns"]), add_generation_prompt=one["generation"], tokenize=False)
        found.append({"text": text, "ids": tokenizer(text, add_special_tokens=False)["input_ids"]})
    print(json.dumps(found))


@torch.no_grad()
def written(directory, file, count):
    processor = AutoProcessor.from_pretrained(directory)
    module = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32).eval()
    print(json.dumps([answer(processor, module, one["turns"], int(count)) for one in json.loads(Path(file).read_text("utf8"))]))


def answer(processor, module, turns, count):
    """As the model's own files say, but for the length."""
    inputs = encoded(processor, turns, True)
    ids = module.generate(**inputs, max_new_tokens=count)[0, inputs["input_ids"].shape[1] :]
    return processor.decode(ids, skip_special_tokens=True)


@torch.no_grad()
def families(*rest):
    print(json.dumps({Path(directory).name: family(Path(directory), rest[:2]) for directory in rest[2:]}))


def family(directory, images):
    model, notes = Model(directory, torch.device("cpu")), []
    merged = directory.with_name(f"{directory.name}-merged")
    shutil.copytree(directory, merged)
    write_asking_files(merged, model.family, notes.append)
    config = AutoConfig.from_pretrained(merged)
    processor = processor_of(merged, config)
    again = Model(merged, torch.device("cpu"))
    found = {name: checked(model.family, again.family, processor, turns) for name, turns in samples(*images).items()}
    generation = GenerationConfig.from_pretrained(merged)
    generation.save_pretrained(merged.with_name("generation"))
    ends = generation.eos_token_id if isinstance(generation.eos_token_id, list) else [generation.eos_token_id]
    question = turn("user", {"image": images[0]}, "Where is the cat?")
    ours = model.family.written({"question": "Where is the cat?", "maximumNewTokens": 8}, images[:1], model)
    return {
        "notes": notes,
        "own template": (merged / "chat_template.jinja").read_text("utf8") == model.family.processor.chat_template,
        "ends": sorted(ends) == model.family.ends and not generation.do_sample,
        "answers": [ours, answer(processor, again.module, [question], 8).strip()],
        "samples": found,
    }


def checked(family, again, processor, turns):
    try:
        inputs, labels = family.collate([family.training(sample_of(family, turns), 4096)])
    except (JobError, ValueError) as error:
        return str(error)
    ids = inputs["input_ids"][0].tolist()
    start = int((labels[0] != -100).nonzero()[0])
    problems = []
    if encoded(processor, turns[:-1], True)["input_ids"][0].tolist() != ids[:start]:
        problems.append("prompt")
    if type(family).__name__ != "PaliGemmaFamily":
        whole = encoded(processor, turns)["input_ids"][0].tolist()
        if whole[: len(ids)] != ids or family.tokenizer.decode(whole[len(ids) :]).strip():
            problems.append("whole")
    if again.collate([again.training(sample_of(again, turns), 4096)])[0]["input_ids"][0].tolist() != ids:
        problems.append("trained on again")
    return ", ".join(problems) or "equal"


def sample_of(family, turns):
    """PaliGemma learns single questions alone."""
    if type(family).__name__ != "PaliGemmaFamily" or len(turns) > 2 or sum("image" in part for part in turns[0]["content"]) > 1:
        return {"turns": turns}
    asked, answered = turns
    image = {part["image"] for part in asked["content"] if "image" in part}
    words = [part["text"] for one in (asked, answered) for part in one["content"] if "text" in part]
    return {"prompt": words[0], "answer": words[1], **({"image": image.pop()} if image else {})}


if __name__ == "__main__":
    {"ids": ids, "texts": texts, "written": written, "families": families}[sys.argv[1]](*sys.argv[2:])
