"""Models, pictures and adapters, by transformers and PEFT."""

import json
import re
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image, ImageOps
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from protocol import JobError
from sequences import Prompts

# By the name in preprocessor_config.json; torchvision, which the faster ones need, is not asked for.
PROCESSORS = {"BlipImageProcessor": BlipImageProcessorPil, "CLIPImageProcessor": CLIPImageProcessorPil}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Model:
    """A model directory, and all that is needed to feed it."""

    def __init__(self, directory, device, storage="float32"):
        self.directory = directory
        self.device = device
        try:
            self.config = AutoConfig.from_pretrained(directory)
            self.module = AutoModelForImageTextToText.from_pretrained(directory, dtype=DTYPES[storage])
        except (OSError, ValueError) as error:
            raise JobError(f"{directory}: {error}") from error
        # The Q-Former has a dropout of its own; it is frozen and stays in evaluation mode, as in the reference system.
        self.module.eval().requires_grad_(False).to(device)
        self.prompts = Prompts(directory, self.config, self._picture_tokens())
        self.processor = self._processor()
        pad = self.config.text_config.pad_token_id
        self.pad = 0 if pad is None else pad

    def _processor(self):
        file = Path(self.directory, "preprocessor_config.json")
        try:
            kind = json.loads(file.read_text("utf8"))["image_processor_type"].removesuffix("Fast")
        except (OSError, ValueError, KeyError) as error:
            raise JobError(f"{file}: image_processor_type: can't be read ({error})") from error
        if kind not in PROCESSORS:
            raise JobError(f"{file}: image_processor_type: {kind} is none of {', '.join(PROCESSORS)}")
        return PROCESSORS[kind].from_pretrained(self.directory)

    def _picture_tokens(self):
        if self.config.model_type == "blip-2":
            return self.config.num_query_tokens
        vision = self.config.vision_config
        patches = (vision.image_size // vision.patch_size) ** 2
        return patches + 1 if self.config.vision_feature_select_strategy == "full" else patches

    def pixels(self, files):
        """`[pictures, 3, height, width]`, or None for no pictures."""
        if not files:
            return None
        pictures = []
        for file in files:
            try:
                with Image.open(file) as picture:
                    pictures.append(ImageOps.exif_transpose(picture).convert("RGB"))
            except OSError as error:
                raise JobError(f"{file}: is no picture that can be read ({error})") from error
        values = self.processor(images=pictures, return_tensors="pt")["pixel_values"]
        return values.to(self.device, dtype=self.module.dtype)


def logits(module, batch, pixels):
    """`[batch, tokens, vocabulary]`; batches without a picture go past the vision side."""
    if pixels is not None:
        return module(**batch, pixel_values=pixels, use_cache=False).logits
    bare = module.module if hasattr(module, "module") else module
    bare = bare.get_base_model() if isinstance(bare, PeftModel) else bare
    language = bare.language_model if hasattr(bare, "language_model") else bare.model.language_model
    out = language(**batch, use_cache=False)
    return out.logits if hasattr(out, "logits") else bare.lm_head(out.last_hidden_state)


def with_new_adapter(model, lora, seed):
    """The model with LoRA adapters on the language model's projections, as PEFT begins them."""
    torch.manual_seed(seed)
    names = "|".join(re.escape(target) for target in lora["targetModules"])
    config = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=rf".*language_model.*\.({names})",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model.module, config)


def with_adapter(model, directory, trainable=False):
    """The model with an adapter of PEFT's format."""
    return PeftModel.from_pretrained(model.module, directory, is_trainable=trainable)
