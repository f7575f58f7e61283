"""Any vision-language model of transformers: images by its own processor, words by its own chat template."""

from dataclasses import dataclass, replace

import torch
from PIL import Image
from transformers import GenerationConfig

from built_in_conversations import common_start
from chat_conversations import conversation
from images import image_size, images_of, read_image, read_images
from plain_text import as_plain_text, plain_text_of
from processors import check_supported, processor_of
from protocol import JobError
from random_crop import crop_of
from same_images import shown_part


# Video-LLaVA's processor has a name that its model deprecates.
RENAMED = {"pixel_values_images": "pixel_values"}
# Inputs whose second dimension is that of tokens.
BY_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "cross_attention_mask")


@dataclass(frozen=True)
class Sequence:
    text: str
    image: str | None
    # Tokens that the loss is on, and tokens left out for being past the limit behind them, at the end of the text. From
    # the front can't be counted: how many tokens an image takes, only the processor knows.
    learned: int
    cut: int = 0
    # Seed of the part of the image that is shown; none for the whole image.
    crop: str | None = None
    # What the text begins with, up to the answer.
    prompt: str = ""
    # The question's own words, in the prompt.
    question: str = ""
    # Of a conversation: further images, and the learned tokens, which are not at the end.
    later_images: tuple = ()
    spans: tuple | None = None
    # Of them, tokens at the end of the text past the limit, and those of turns behind it that are left out of the text.
    tail: int = 0
    dropped: int = 0

    @property
    def images(self):
        return [self.image, *self.later_images] if self.image else []

    @property
    def crops(self):
        """The seed of each image."""
        return [crop_of(self.crop, number) for number in range(len(self.images))]


class ChatFamily:
    """A question is a turn of the user's, an answer one of the assistant's."""

    def __init__(self, directory, config, device, image=None):
        check_supported(directory, config)
        self.device = device
        self.processor = processor_of(directory, config, image)
        self.tokenizer = getattr(self.processor, "tokenizer", None)
        if self.tokenizer is None or not getattr(self.processor, "chat_template", None):
            raise JobError(
                f"{directory}: a model of model_type {config.model_type} needs a processor with a tokenizer and a chat "
                "template (chat_template.jinja)"
            )
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        if not hasattr(self.tokenizer, "backend_tokenizer"):
            raise JobError(f"{type(self.tokenizer).__name__} is no tokenizer of the tokenizers library (tokenizer.json)")
        self.plain_text = plain_text_of(self.tokenizer.backend_tokenizer)
        self.image_marks = self._image_marks()
        self.before_answer, self.end_mark = self._around_answer()
        self.ends = self._end_tokens(directory, config)
        # By size and what is before it.
        self.image_tokens = {}
        self.opened = {}

    def check(self, _image):
        """Raises JobError for a sample or question that this family takes none of."""

    def check_images(self, _count):
        """Raises JobError for a question with more images than this family takes."""

    def check_turns(self, _turns):
        """Raises JobError for a conversation that this family takes none of."""

    def training(self, sample, maximum_tokens):
        """
        Loss on the answer and what ends it only. Question and answer are cut to the limit, which may leave none; what the
        template has before the question, images among it, does not count.
        """
        if "turns" in sample:
            return self.conversation(sample["turns"], maximum_tokens)
        image = sample.get("image")
        self.check(image)
        prompt = self._prompt(sample["prompt"], [image] if image else [])
        answer = self.before_answer + self.plain(sample["answer"]) + self.end_mark
        learned = self._learned(prompt, "", answer)
        before_question = prompt.partition(self.plain(sample["prompt"].strip()))[0]
        # The words of a fixed request don't count.
        uncounted = prompt if sample.get("kind") == "request" else before_question
        cut = max(0, self._counted(uncounted, prompt, answer) - maximum_tokens)
        return Sequence(prompt + answer, image, max(0, learned - cut), cut, prompt=prompt, question=sample["prompt"].strip())

    def within(self, sequence, maximum):
        """
        The sequence with its text cut at its end, so that it has at most so many tokens, all those of its image among them, and
        how many were cut for that. Raises JobError where the image leaves no room for words.
        """
        if sequence.spans is not None:
            return self._conversation_within(sequence, maximum)
        whole, behind = self._whole_length(sequence)
        beyond = whole - sequence.cut - maximum
        if beyond <= 0:
            return sequence, 0
        if beyond >= behind - sequence.cut:
            raise JobError(
                f"image: with the words before it has {whole - behind} tokens, which leave no room for more: "
                f"finetune.maximumSequence is {maximum}. Raise it, or have images smaller by model.image"
            )
        return replace(sequence, learned=max(0, sequence.learned - beyond), cut=sequence.cut + beyond), beyond

    def length(self, sequence):
        """How many tokens a sequence has before it is cut, all those of its images among them."""
        if sequence.spans is not None:
            return self._shown_length(sequence) + sequence.dropped
        return self._whole_length(sequence)[0]

    def conversation(self, turns, maximum_tokens):
        """Loss on each answer and what ends it, but for turns that are left out."""
        text, images, spans, cut, tail, dropped = conversation(self, turns, maximum_tokens)
        image, *later = images or [None]
        learned = sum(span.start - span.end for span in spans)
        return Sequence(text, image, learned, cut, later_images=tuple(later), spans=spans, tail=tail, dropped=dropped)

    def _conversation_within(self, sequence, maximum):
        """A conversation is not cut to a number of tokens with those of its images."""
        length = self._shown_length(sequence) - sequence.tail
        if length <= maximum:
            return sequence, 0
        raise JobError(
            f"turns: have {length} tokens with those of their images; finetune.maximumSequence is {maximum}, to which a conversation "
            "is not cut. Lower finetune.maximumTokens, which counts words alone, raise finetune.maximumSequence, or drop the sample"
        )

    def _shown_length(self, sequence):
        """How many tokens the text of a conversation has. Empty images take as many."""
        images = [Image.new("RGB", image_size(file)) for file in sequence.images]
        if not images:
            return len(self._text_ids(sequence.text))
        special = self.adds_special_tokens(sequence.text)
        return len(self.processor(text=[sequence.text], images=[images], add_special_tokens=special)["input_ids"][0])

    def answers(self, question):
        """A sequence an answer, with the loss on what follows `answerStart`."""
        images = images_of(question)
        image, *later = images or [None]
        prompt = self._prompt(question["question"], images)
        started = self.plain(question["answerStart"])
        start = self.before_answer + started if started else ""
        answers = [self.before_answer + self.plain(answer) for answer in question["answers"]]
        return [
            Sequence(prompt + one, image, self._learned(prompt, start, one), later_images=tuple(later), prompt=prompt) for one in answers
        ]

    def collate(self, sequences):
        """The model's inputs, padded to the right, and labels `[batch, tokens]` int64 with -100 off the learned tokens."""
        crops = [crop for sequence in sequences for crop in sequence.crops]
        inputs = self._inputs([(sequence.text, sequence.images) for sequence in sequences], crops)
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        if not bool(mask[:, 0].all()):
            raise JobError(f"{type(self.processor).__name__} pads on the left, and can't be set to pad on the right")
        labels = torch.full_like(ids, -100)
        for row, sequence in enumerate(sequences):
            if sequence.spans is not None:
                count = int(mask[row].sum())
                self._label_spans(sequence, ids[row, :count], labels[row])
                mask[row, count - sequence.tail :] = 0
                continue
            end = int(mask[row].sum()) - sequence.cut
            labels[row, end - sequence.learned : end] = ids[row, end - sequence.learned : end]
            mask[row, end:] = 0
        return without_cut(inputs, labels)

    def _label_spans(self, sequence, ids, labels):
        """Labels of a conversation's learned tokens; `ids` without padding."""
        lengths = {None: len(ids)}
        for anchor in dict.fromkeys(span.anchor for span in sequence.spans if span.anchor):
            start = self._inputs([(anchor.text, sequence.images[: anchor.images])])["input_ids"][0]
            if not torch.equal(start, ids[: len(start)]):
                kind = type(self.processor).__name__
                raise JobError(f"turns: {kind} reads an image in another way once another follows: show all images in the first turn")
            lengths[anchor] = len(start)
        for span in sequence.spans:
            end = lengths[span.anchor]
            labels[end - span.start : end - span.end] = ids[end - span.start : end - span.end]

    def written(self, request, images, model):
        """Greedily, whatever sampling the model's generation_config.json has. A template ends the turn as it does."""
        inputs = self._inputs([(self._prompt(request["question"], images), images)])
        maximum = request["maximumNewTokens"]
        ids = model.scorer("written", inputs, maximum, self.ends, self.tokenizer.pad_token_id, model.sharded)
        return self.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()

    def image_inputs(self, file):
        """The inputs of the vision side for one image."""
        return self._placed(self.processor.image_processor(images=[read_image(file)], return_tensors="pt"))

    def _inputs(self, prompts, crops=None):
        """`crops`: of each image, the seed of the part that is shown, or none."""
        files = [file for _, some in prompts for file in some]
        opened = self._opened(files, all(some == prompts[0][1] for _, some in prompts))
        shown = (shown_part(opened[file], file, crop) for file, crop in zip(files, crops or [None] * len(files)))
        images = [[next(shown) for _ in some] for _, some in prompts]
        inputs = self.processor(
            text=[text for text, _ in prompts],
            images=images if any(images) else None,
            padding=True,
            # Some processors pad on another side by default.
            padding_side="right",
            return_tensors="pt",
            add_special_tokens=self.adds_special_tokens(prompts[0][0]),
        )
        return self._placed(inputs)

    def _opened(self, files, alike):
        """Images by file. Those that all texts show stay open until others are: more choices of a question may come in further parts."""
        known = self.opened
        if not all(file in known for file in files):
            known = read_images(files)
            self.opened = known if alike else {}
        return known

    def inputs_of(self, text, files):
        """The model's inputs for one text that shows these images."""
        return self._inputs([(text, files)])

    def _whole_length(self, sequence):
        """How many tokens a sequence has, its image's among them, and how many of them are behind the image."""
        ids = self._text_ids(sequence.text)
        if not sequence.image:
            return len(ids), len(ids)
        added, before = self._image_tokens(sequence, sequence.text)
        return len(ids) + added, len(ids) - before

    def _image_tokens(self, sequence, text):
        """
        How many more tokens an image of this size takes in a text than its mark, and how many tokens the text has up to behind
        the mark. An empty image takes as many; the text counts where a processor puts a space behind the image (Idefics 2's).
        """
        size, start = image_size(sequence.image), self._image_start(sequence)
        if (size, start) not in self.image_tokens:
            given = {"text": [text], "images": [[Image.new("RGB", size)]]}
            whole = self.processor(**given, add_special_tokens=self.adds_special_tokens(text))["input_ids"][0]
            self.image_tokens[size, start] = len(whole) - len(self._text_ids(text)), len(self._text_ids(start))
        return self.image_tokens[size, start]

    def _image_start(self, sequence):
        """What a text with an image begins with, up to behind the image's mark."""
        return sequence.prompt.partition(self.plain(sequence.question))[0]

    def _text_ids(self, text):
        """Ids of a text in which an image is its mark."""
        return self.tokenizer(text, add_special_tokens=self.adds_special_tokens(text))["input_ids"]

    def _placed(self, inputs):
        """Tensors alone, without the labels that some processors make: they don't know which tokens are learned."""
        return {
            RENAMED.get(name, name): value.to(self.device, torch.float32) if value.is_floating_point() else value.to(self.device)
            for name, value in inputs.items()
            if isinstance(value, torch.Tensor) and name != "labels"
        }

    def adds_special_tokens(self, text):
        """Templates may have written the first token already."""
        begin = self.tokenizer.bos_token
        return begin is None or not text.startswith(begin)

    def _learned(self, prompt, start, answer):
        """How many tokens of an answer follow its start."""
        return self._tokens_after(prompt + start, prompt + answer)

    def _counted(self, uncounted, prompt, answer):
        """How many tokens of prompt and answer follow the part of the prompt that does not count."""
        return self._tokens_after(uncounted, prompt + answer)

    def _tokens_after(self, start, text):
        """How many tokens follow those of `start`, an image as one."""
        special = self.adds_special_tokens(text)
        before, whole = (self.tokenizer(one, add_special_tokens=special)["input_ids"] for one in (start, text))
        return len(whole) - common_start(before, whole)

    def _prompt(self, question, images):
        return self.rendered([self._turn("user", self.plain(question.strip()), len(images))], add_generation_prompt=True)

    def rendered(self, turns, **settings):
        return self.processor.apply_chat_template(turns, tokenize=False, **settings)

    def _turn(self, role, text, images=0):
        shown = [{"type": "image"}] * images
        return {"role": role, "content": [*shown, {"type": "text", "text": text}]}

    def message(self, role, content):
        """A turn of a conversation as templates take it, its images in their places."""
        parts = [{"type": "text", "text": self.plain(part["text"])} if "text" in part else {"type": "image"} for part in content]
        return {"role": role, "content": parts}

    def plain(self, text):
        """Special tokens, and what stands for an image or a video, are text in a question's or answer's own words."""
        return as_plain_text(self.plain_text(text), self.image_marks)

    def _image_marks(self):
        """The processor's own, which it may look for in a text by itself."""
        names = [name for name in dir(self.processor) if name.endswith("_token")]
        marks = {mark for name in names if isinstance(mark := getattr(self.processor, name, None), str) and mark}
        return sorted(marks, key=len, reverse=True)

    def _around_answer(self):
        """What the template puts before an answer and behind it. LLaVA's puts no token behind: the end token must follow."""
        answer = "ANSWER"
        prompt = self._prompt("QUESTION", [])
        whole = self.rendered([self._turn("user", "QUESTION"), self._turn("assistant", answer)])
        before, end = "", ""
        if whole.startswith(prompt) and answer in whole[len(prompt) :]:
            before, _, end = whole[len(prompt) :].partition(answer)
        return before, end.strip() or self.tokenizer.eos_token

    def _end_tokens(self, directory, config):
        """Ids that end what the model writes: those it came with, and the one it learns to end an answer with."""
        try:
            known = GenerationConfig.from_pretrained(directory).eos_token_id
        except OSError:
            known = GenerationConfig.from_model_config(config).eos_token_id
        learned = self.tokenizer(self.end_mark, add_special_tokens=False)["input_ids"]
        ends = {self.tokenizer.eos_token_id, *(known if isinstance(known, list) else [known])}
        return sorted({*ends, *(learned if len(learned) == 1 else [])} - {None})


def without_cut(inputs, labels):
    """Inputs and labels without what is behind the last token of the longest sequence, where sequences are cut."""
    length = int(inputs["attention_mask"].sum(1).max())
    if length == labels.shape[1]:
        return inputs, labels
    return {name: value[:, :length] if name in BY_TOKEN else value for name, value in inputs.items()}, labels[:, :length]
