"""
The families of src/model/families: the same ids as src/trainer/jobs/sequence.ts gives; see there for why. The job has the
words that a family puts around a question.
"""

from dataclasses import dataclass, replace

import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast
from transformers.image_processing_base import ImageProcessingMixin
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from built_in_conversations import common_start, conversation, conversation_ids, conversation_text
from images import images_of, read_image
from key_values import WrittenAnswer
from plain_text import as_plain_text, plain_text_of
from protocol import JobError, any_rank
from random_crop import crop_of, random_crop

# By the name in the model's files; torchvision, which the faster ones need, is not required. Which fields are known was
# checked before the job began, see src/model/images/processor-config.ts.
PROCESSORS = {
    "BlipImageProcessor": BlipImageProcessorPil,
    "CLIPImageProcessor": CLIPImageProcessorPil,
    "LlavaImageProcessor": LlavaImageProcessorPil,
}
# Of a model whose files name none.
PROCESSOR_OF_MODEL = {"blip-2": "BlipImageProcessor", "llava": "LlavaImageProcessor"}


@dataclass(frozen=True)
class Sequence:
    ids: list
    image: str | None
    # Index of the first token that the loss is on.
    answer_start: int
    # Tokens at the end that are left out, for being beyond the limit.
    cut: int = 0
    # Seed of the part of the image that is shown; none for the whole image.
    crop: str | None = None
    # Of a conversation: further images, and ranges behind `answer_start` that the loss is not on.
    later_images: tuple = ()
    unlearned: tuple = ()

    @property
    def learned(self):
        return len(self.ids) - self.answer_start - sum(end - start for start, end in self.unlearned)

    @property
    def images(self):
        """File and seed of each."""
        files = [self.image, *self.later_images] if self.image else []
        return [(file, crop_of(self.crop, number)) for number, file in enumerate(files)]


class BuiltInFamily:
    """`family` is what the job has of it, see src/trainer/protocol.ts."""

    def __init__(self, directory, config, device, family):
        self.directory, self.config, self.device = directory, config, device
        self.form, self.image_tokens = family["promptForm"], family["imageTokens"]
        self.together = self.form["tokenized"] == "together"
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(directory).backend_tokenizer
        # Lengths are limited by the job and a batch is padded here: the ids of a text depend on neither.
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.plain_text = plain_text_of(self.tokenizer)
        self.image_id = config.image_token_id if config.image_token_id is not None else config.image_token_index
        self.processor = self._processor()
        special = family["specialIds"]  # There is a tokenizer, so the job has them.
        self.begin, self.ends, self.pad = special["begin"], special["ends"], special["pad"]
        self.writing_problem = special.get("writingProblem")

    def check(self, _image):
        """These take questions with and without an image."""

    def check_images(self, count):
        """Raises JobError for several images where the words for them are not known."""
        if count > 1 and not self.form.get("conversation"):
            raise JobError(
                f"shows {count} images, which are not known to this model with model.tokenBoundaries: reference, nor to a family "
                "without a form for conversations. Set model.tokenBoundaries: separate, or leave such questions out"
            )

    def training(self, sample, maximum_tokens):
        """Loss on the answer and the end mark only. Question and answer are cut to the limit, which may leave none."""
        if "turns" in sample:
            ids, images, start, unlearned, cut = conversation(self, sample["turns"], maximum_tokens)
            return Sequence(ids, images[0] if images else None, start, cut, None, images[1:], unlearned)
        image = sample.get("image")
        prompt = self.turn(sample["prompt"], image)
        if self.form["tokenized"] == "questionWithAnswer" and sample.get("kind") != "request":
            return self._question_with_answer(sample, image, prompt, maximum_tokens)
        ids = self.prompt_ids(prompt)
        # The words of a fixed request don't count.
        before = len(ids) if sample.get("kind") == "request" else self._before_question(ids, image)
        limit = before + maximum_tokens
        answered = [*ids, *self._answer_ids(prompt, sample["answer"], self.form["endMark"])]
        kept = answered[:limit]
        return Sequence(kept, image, min(len(ids), len(kept)), len(answered) - len(kept))

    def within(self, sequence, maximum):
        """As `ChatFamily.within`."""
        beyond = len(sequence.ids) - maximum
        if beyond <= 0:
            return sequence, 0
        # Where each image ends. The first must be whole, and words must follow; others are shown whole or not.
        places = [place for place, one in enumerate(sequence.ids) if one == self.image_id] if sequence.image else []
        ends = [place + 1 for place in places[self.image_tokens - 1 :: self.image_tokens]]
        before = ends[0] if ends else 0
        if before >= maximum:
            raise JobError(
                f"image: with the words before it has {before} tokens, which leave no room for more: finetune.maximumSequence "
                f"is {maximum}. Raise it"
            )
        kept = min([maximum, *(end - self.image_tokens for end in ends if end > maximum)])
        shown = sum(end <= kept for end in ends)
        unlearned = tuple((start, min(end, kept)) for start, end in sequence.unlearned if start < kept)
        return replace(
            sequence,
            ids=sequence.ids[:kept],
            answer_start=min(sequence.answer_start, kept),
            cut=sequence.cut + beyond,
            later_images=sequence.later_images[: max(0, shown - 1)],
            unlearned=unlearned,
        ), beyond

    def length(self, sequence):
        """How many tokens a sequence has before it is cut, all those of its image among them."""
        return len(sequence.ids) + sequence.cut

    def answers(self, question):
        """A sequence an answer, with the loss on what follows `answerStart`."""
        images = images_of(question)
        image, *later = images or [None]
        if self.form["tokenized"] == "questionWithAnswer":
            return self._answers_apart(question, image)
        prompt, ids = self._asked(question["question"], images)
        start = len(self._answer_ids(prompt, question["answerStart"])) if question["answerStart"] else 0
        return [
            Sequence([*ids, *self._answer_ids(prompt, answer)], image, len(ids) + start, later_images=tuple(later))
            for answer in question["answers"]
        ]

    def _asked(self, question, images, trims_turn=False):
        """A question as text and as ids; all its images stand before its words."""
        if len(images) > 1:
            turns = [{"role": "user", "content": [*({"image": one} for one in images), {"text": question}]}]
            return conversation_text(self, turns), conversation_ids(self, turns)
        turn = self.turn(question, images[0] if images else None)
        turn = turn.rstrip() if trims_turn else turn
        return turn, self.prompt_ids(turn)

    def collate(self, sequences):
        """The model's inputs, padded to the right, and labels `[batch, tokens]` int64 with -100 off the learned tokens."""
        inputs, labels = self.words(sequences)
        shown = [image for sequence in sequences for image in sequence.images]
        if shown:
            inputs["pixel_values"] = self.pixels(shown).to(self.device, torch.float32)
        return inputs, labels

    def words(self, sequences):
        """As `collate`, without pixels."""
        length = max(len(sequence.ids) for sequence in sequences)
        ids = torch.full((len(sequences), length), self.pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        labels = torch.full_like(ids, -100)
        for row, sequence in enumerate(sequences):
            count = len(sequence.ids)
            ids[row, :count] = torch.tensor(sequence.ids)
            mask[row, :count] = 1
            labels[row, sequence.answer_start : count] = ids[row, sequence.answer_start : count]
            for start, end in sequence.unlearned:
                labels[row, start:end] = -100
        return {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}, labels.to(self.device)

    def pixels(self, images):
        """Of files and seeds of their parts, `[images, 3, height, width]`; one decoded image at a time is in memory."""
        return torch.cat([self._pixels(*image) for image in images])

    def prompt(self, request, images):
        """A question to be answered in writing. Raises JobError where this model can't."""
        if self.writing_problem:
            raise JobError(self.writing_problem)
        _, ids = self._asked(request["question"], images, request.get("trimsTurn", False))
        image, *later = images or [None]
        return Sequence(ids, image, len(ids), later_images=tuple(later))

    def written_anew(self, prompt, maximum, model):
        """Greedily, the whole text computed again for each token. With a sharded model all processes compute until the last is done."""
        answer = WrittenAnswer(self, maximum)
        while True:
            inputs, _ = self.collate([replace(prompt, ids=[*prompt.ids, *answer.ids])])
            answer.add(int(model.scorer("scores", inputs, 1)[0, -1].argmax()))
            unfinished = answer.text is None
            if not (any_rank(unfinished, self.device) if model.sharded else unfinished):
                return answer.text.strip()

    def _pixels(self, file, crop):
        image, processor = read_image(file), self.processor
        if crop is None:
            return processor(images=[image], return_tensors="pt")["pixel_values"]
        side = self.config.vision_config.image_size
        part = random_crop(image, crop).resize((side, side), Image.Resampling.BICUBIC)
        # It has its size already.
        steps = {name: False for name in ("do_resize", "do_center_crop", "do_pad") if hasattr(processor, name)}
        return processor(images=[part], return_tensors="pt", **steps)["pixel_values"]

    def _processor(self):
        """As AutoImageProcessor chooses: of processor_config.json before preprocessor_config.json."""
        settings, _ = ImageProcessingMixin.get_image_processor_dict(self.directory)
        kind = settings.get("image_processor_type") or settings.get("feature_extractor_type", "").replace(
            "FeatureExtractor", "ImageProcessor"
        )
        kind = (kind or PROCESSOR_OF_MODEL[self.config.model_type]).removesuffix("Fast")
        if kind not in PROCESSORS:
            raise JobError(f"{self.directory}: image_processor_type: {kind} is not one of {', '.join(PROCESSORS)}")
        return PROCESSORS[kind].from_pretrained(self.directory)

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def turn(self, question, image, turn=None):
        turn = turn or self.form["turn" if image else "turnWithoutImage"]
        return turn.replace("{question}", self.plain(question.rstrip() if self.form["trimsQuestion"] else question), 1)

    def plain(self, text):
        """Special tokens and the image's mark in a question's or answer's own words are text."""
        return as_plain_text(self.plain_text(text), [self.form["imageMark"]])

    def prompt_ids(self, prompt):
        """Ids of a prompt, with the places for the image if it shows one."""
        places = [self.image_id] * self.image_tokens
        if self.together:
            ids = self.encode(prompt)
            mark = self.tokenizer.token_to_id(self.form["imageMark"])
            if mark not in ids:
                return [self.begin, *ids]
            at = ids.index(mark)
            return [self.begin, *ids[:at], *places, *ids[at + 1 :]]
        before, found, after = prompt.partition(self.form["imageMark"])
        if not found:
            return [self.begin, *self.encode(before)]
        return [self.begin, *self.encode(before), *places, *self.encode(after)]

    def _question_with_answer(self, sample, image, prompt, maximum_tokens):
        """Question and answer as one text: its first tokens, as many as the question has alone, count for no loss."""
        before, _, _ = self.form["turn" if image else "turnWithoutImage"].partition("{question}")
        ids = self.prompt_ids(before)
        question = prompt[len(before) :]
        whole = self.encode(question + self.plain(self.form["answerSeparator"] + sample["answer"]) + self.form["endMark"])
        kept = [*ids, *whole[:maximum_tokens]]
        start = min(len(ids) + len(self.encode(question)), len(kept))
        return Sequence(kept, image, start, max(0, len(whole) - maximum_tokens))

    def _answers_apart(self, question, image):
        """What the answers start with is one text with the question, and what each adds a text of its own."""
        ranked = self.form.get("rankedTurn") if image else None
        ids = self.prompt_ids(self.turn(question["question"], image, ranked) + self.plain(question["answerStart"]))
        # Without a begin token, where the words around the question are others.
        ids = ids[1:] if ranked else ids
        rests = [answer[len(question["answerStart"]) :].lstrip() for answer in question["answers"]]
        return [Sequence([*ids, *self.encode(self.plain(rest))], image, len(ids)) for rest in rests]

    def _before_question(self, ids, image):
        """How many ids of a prompt come before the question: begin token, image, and the words of the family."""
        before, _, _ = self.form["turn" if image else "turnWithoutImage"].partition("{question}")
        return common_start(self.prompt_ids(before), ids)

    def _answer_ids(self, prompt, answer, end=""):
        text = self.plain(self.form["answerSeparator"] + answer) + end
        if not self.together:
            return self.encode(text)
        start, whole = self.encode(prompt), self.encode(prompt + text)
        return whole[common_start(start, whole) :]
