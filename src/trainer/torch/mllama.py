"""
Mllama, whose language model looks at images by layers of cross attention between the usual ones. Where no text of a batch has an
image, transformers skips these layers; where one has, the others go through them too, and attend to its padding. Here what a
text without an image is given does not depend on its batch.
"""

import torch
from chat_family import ChatFamily
from protocol import JobError
from transformers.models.mllama.modeling_mllama import MllamaCrossAttentionDecoderLayer


def without_other_images(module):
    """The model; if it is Mllama, its layers of cross attention leave the texts without an image as they are."""
    for layer in module.modules():
        if isinstance(layer, MllamaCrossAttentionDecoderLayer):
            layer.register_forward_hook(_kept_without_image, with_kwargs=True)
    return module


def _kept_without_image(_layer, given, named, output):
    # [batch, 1, tokens, 1]: whether a token sees an image. Those before it don't, but their text has one.
    seeing = named.get("full_text_row_masked_out_mask")
    if seeing is None:
        return output
    return torch.where(seeing[:, 0].amax(1, keepdim=True) > 0, output, given[0])


def mllama_features(module, inputs):
    """What the cross attention is given for one image, `[places, width]`, without the tiles that are padding."""
    names = ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")
    # [images, 1, tiles, patches, width]
    states = module.model.vision_model(**{name: inputs[name] for name in names}).last_hidden_state
    filled = inputs["aspect_ratio_mask"].reshape(-1) > 0
    return module.model.multi_modal_projector(states).flatten(0, 2)[filled].flatten(0, 1)


class MllamaFamily(ChatFamily):
    def check_images(self, count):
        if count > 1:
            raise JobError(f"shows {count} images, and Mllama takes one: leave such questions out, or ask another model")

    def check_turns(self, turns):
        """In transformers the words before an image see it, and those of other texts' images that are padding in a batch."""
        shown = [number for number, turn in enumerate(turns) for part in turn["content"] if "image" in part]
        first = next(number for number, turn in enumerate(turns) if turn["role"] == "user")
        if len(shown) > 1 or shown and shown[0] != first:
            raise JobError("turns: Mllama takes one image, in the first turn of the user: leave conversations with others out")

    def conversation(self, turns, maximum_tokens):
        self.check_turns(turns)
        return super().conversation(turns, maximum_tokens)
