"""
How far a family of make-family.py is what transformers alone computes: `check-family.py <directory> <image> <image> <kind>…`
prints, by kind, the largest differences of losses, or why the trainer refuses the model.
"""

import json
import sys
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
from models import Model, token_losses  # noqa: E402
from processors import processor_of  # noqa: E402
from protocol import JobError  # noqa: E402

QUESTION, ANSWERS = "What is the color of the dog?", ["red", "It is left of the chair."]


@torch.no_grad()
def main(directory, *rest):
    images, kinds = rest[:2], rest[2:]
    found = {}
    for kind in kinds:
        try:
            found[kind] = checked(Path(directory) / kind, images)
        except JobError as error:
            found[kind] = {"refused": str(error)}
    print(json.dumps(found))


def checked(directory, images):
    model = Model(directory, torch.device("cpu"))
    theirs = Reference(directory)
    samples = [{"prompt": QUESTION, "answer": answer, "image": image} for answer in ANSWERS for image in images]
    result = {"learning": 0.0, "ranking": 0.0}
    before, end = model.family.before_answer, model.family.end_mark
    for sample in samples:
        wanted = theirs.loss(before + sample["answer"] + end, sample["image"])
        result["learning"] = max(result["learning"], difference(losses(model, [sample]), [wanted]))
    for image in images:
        asked = {"question": QUESTION, "answerStart": "", "answers": ANSWERS, "image": image}
        wanted = [theirs.loss(before + answer, image) for answer in ANSWERS]
        result["ranking"] = max(result["ranking"], difference(scored(model, model.family.answers(asked)), wanted))
    result["written"] = all(
        model.family.written({"question": QUESTION, "maximumNewTokens": 8}, [image], model) == theirs.written(image, model.family.ends)
        for image in images
    )
    blind = [{key: value for key, value in sample.items() if key != "image"} for sample in samples[::2]]
    try:
        ours = [loss for sample in blind for loss in losses(model, [sample])]
        result["blind"] = difference(ours, [theirs.loss(before + sample["answer"] + end, None) for sample in blind])
    except JobError as error:
        result["blind"] = str(error)
        blind = []
    mixed = [*samples[:2], *blind, *samples[2:]]
    alone = [loss for sample in mixed for loss in losses(model, [sample])]
    result["batch"] = difference(losses(model, mixed), alone)
    result["embedding"] = embedding(model, images)
    return result


def embedding(model, images):
    """How far two images are from one another, or why there are none."""
    try:
        one, other = (model.scorer("image_features", model.family.image_inputs(image)).mean(0) for image in images)
        return (one - other).abs().max().item()
    except JobError as error:
        return str(error)


def losses(model, samples):
    return scored(model, [model.family.training(sample, 4096) for sample in samples])


def scored(model, sequences):
    found, counted = token_losses(model.scorer, *model.family.collate(sequences))
    return ((found * counted).sum(1) / counted.sum(1)).tolist()


def difference(one, other):
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


class Reference:
    """transformers alone, a text at a time: labels are what follows the prompt."""

    def __init__(self, directory):
        self.config = AutoConfig.from_pretrained(directory)
        self.processor = processor_of(directory, self.config)
        self.module = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32).eval()

    def loss(self, answer, image):
        inputs, labels = self._inputs(answer, image)
        logits = self.module(**inputs).logits[0, :-1]
        return torch.nn.functional.cross_entropy(logits, labels[0, 1:]).item()

    def written(self, image, ends):
        inputs, _ = self._inputs(None, image)
        settings = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": ends, "pad_token_id": self.processor.tokenizer.pad_token_id}
        ids = self.module.generate(**inputs, **settings)[0, inputs["input_ids"].shape[1] :]
        return self.processor.tokenizer.decode(ids, skip_special_tokens=True).strip()

    def _inputs(self, answer, image):
        shown = [{"type": "image"}] if image else []
        turn = {"role": "user", "content": [*shown, {"type": "text", "text": QUESTION}]}
        prompt = self.processor.apply_chat_template([turn], add_generation_prompt=True)
        images = [Image.open(image).convert("RGB")] if image else None
        if self.config.model_type == "paligemma":
            return self._with_suffix(prompt, answer, images)
        begin = self.processor.tokenizer.bos_token
        settings = {"images": images, "return_tensors": "pt", "add_special_tokens": not (begin and prompt.startswith(begin))}
        asked = self.processor(text=[prompt], **settings)
        if answer is None:
            return asked, None
        inputs = self.processor(text=[prompt + answer], **settings)
        labels = inputs["input_ids"].clone()
        labels[:, : asked["input_ids"].shape[1]] = -100
        return inputs, labels

    def _with_suffix(self, prompt, answer, images):
        """Its processor knows which is which, and makes the labels; it ends every answer with its end token."""
        end = self.processor.tokenizer.eos_token
        given = {} if answer is None else {"suffix": [answer.removesuffix(end)]}
        inputs = self.processor(text=[prompt], images=images, return_tensors="pt", add_special_tokens=False, **given)
        labels = inputs.pop("labels")
        if answer is not None and not answer.endswith(end):
            labels[:, -1] = -100
        return inputs, labels


if __name__ == "__main__":
    main(*sys.argv[1:])
