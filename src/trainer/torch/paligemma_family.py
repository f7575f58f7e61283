"""
PaliGemma: what precedes an answer is seen in both directions, so its inputs mark the answer's tokens. transformers calls an
answer the suffix: https://huggingface.co/docs/transformers/model_doc/paligemma
"""

import torch

from built_in_conversations import common_start
from chat_family import ChatFamily, without_cut
from protocol import JobError


# Of the processor's.
BEHIND_PROMPT = "\n"


class PaliGemmaFamily(ChatFamily):
    def check(self, image):
        if not image:
            raise JobError("has no image, and PaliGemma's processor takes no question without one")

    def check_images(self, count):
        if count > 1:
            raise JobError(f"shows {count} images, and PaliGemma takes one: leave such questions out, or ask another model")

    def check_turns(self, turns):
        if len(turns) > 1 or sum("image" in part for part in turns[0]["content"]) > 1:
            self.conversation(turns, 0)

    def conversation(self, _turns, _maximum_tokens):
        raise JobError("turns: PaliGemma learns one answer to a prompt, without a system prompt, about one image: leave others out")

    def collate(self, sequences):
        """As `ChatFamily.collate`; its processor makes the ids of the prompts alone, with a line break of its own behind them."""
        crops = [crop for sequence in sequences for crop in sequence.crops]
        prompts = self._inputs([(sequence.prompt, sequence.images) for sequence in sequences], crops)
        rows = [
            (ids[mask.bool()], torch.tensor(self._ids(sequence.text[len(sequence.prompt) :]), dtype=torch.long, device=self.device))
            for ids, mask, sequence in zip(prompts["input_ids"], prompts["attention_mask"], sequences, strict=True)
        ]
        shape = len(rows), max(len(prompt) + len(suffix) for prompt, suffix in rows)
        ids = torch.full(shape, self.tokenizer.pad_token_id, device=self.device)
        mask, in_suffix, labels = torch.zeros_like(ids), torch.zeros_like(ids), torch.full_like(ids, -100)
        for row, (sequence, (prompt, suffix)) in enumerate(zip(sequences, rows, strict=True)):
            start, whole = len(prompt), len(prompt) + len(suffix)
            ids[row, :whole] = torch.cat([prompt, suffix])
            in_suffix[row, start:whole] = 1
            end = whole - sequence.cut
            mask[row, :end] = 1
            labels[row, end - sequence.learned : end] = ids[row, end - sequence.learned : end]
        return without_cut({**prompts, "input_ids": ids, "attention_mask": mask, "token_type_ids": in_suffix}, labels)

    def _whole_length(self, sequence):
        added, before = self._image_tokens(sequence, sequence.prompt)
        whole = len(self._text_ids(sequence.prompt)) + added + len(self._ids(sequence.text[len(sequence.prompt) :]))
        # Up to behind the image, with all of its tokens but for the line break behind the prompt.
        return whole, whole - before - added + 1

    def _learned(self, prompt, start, answer):
        ids = self._ids(answer)
        return len(ids) - common_start(self._ids(start), ids)

    def _counted(self, uncounted, prompt, answer):
        whole = prompt + BEHIND_PROMPT
        return self._tokens_after(whole if uncounted == prompt else uncounted, whole) + len(self._ids(answer))

    def _ids(self, answer):
        """An answer's tokens are its own, whatever the prompt ends with."""
        return self.tokenizer(answer, add_special_tokens=False)["input_ids"]
