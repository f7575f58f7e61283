"""Processors of transformers, which make a model's inputs, and the models whose inputs can't be made right here."""

import json
from contextlib import contextmanager

from transformers import AutoProcessor, processing_utils
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.models.smolvlm import processing_smolvlm
from transformers.utils import is_torchvision_available

from protocol import JobError
from same_images import preparing_once

# By model_type: those that were held against transformers (docs/torchrun.md). A new one is added once the tests hold it.
CHECKED = {
    "blip-2",
    "deepseek_vl",
    "gemma3",
    "glm4v",
    "idefics2",
    "idefics3",
    "internvl",
    "llava",
    "llava_next",
    "llava_next_video",
    "llava_onevision",
    "mllama",
    "paligemma",
    "qwen2_5_vl",
    "qwen3_vl",
    "smolvlm",
    "video_llava",
    "vipllava",
}

# By model_type.
UNSUPPORTED = {
    "diffusion_gemma": "it writes blocks of tokens by diffusion, so an answer has no token losses",
    "instructblip": "its Q-Former reads the whole text, so the tokens of an answer would depend on those behind them",
    "instructblipvideo": "its Q-Former reads the whole text, so the tokens of an answer would depend on those behind them",
    "shieldgemma2": "it classifies images and answers no questions",
}


class NoVideos(dict):
    """
    Stands for a video processor: those need torchvision, which is not required, and no video is ever given. It is a dict since
    transformers writes processors as JSON.
    """

    model_input_names = ()
    unused_input_names = ()
    num_frames = fps = None

    @classmethod
    def from_pretrained(cls, *_args, **_settings):
        return cls()


def check_supported(directory, config):
    """Raises JobError, with the reason, for a model whose answers can't be trained on and ranked as those of the others."""
    reason = UNSUPPORTED.get(config.model_type)
    if config.is_encoder_decoder:
        reason = "it has an encoder and a decoder, and only decoders are trained here"
    elif reason is None and config.model_type not in CHECKED:
        reason = f"it was not held against transformers yet; checked are {', '.join(sorted(CHECKED))}"
    if reason:
        raise JobError(f"{directory}/config.json: model_type: {config.model_type} is not supported: {reason}")


def processor_of(directory, config, image=None):
    """The model's own, with `image` as a job has it. Without videos where torchvision is missing."""
    processor = _stored_processor(directory, config)
    if image:
        own = processor.image_processor
        processor.image_processor = type(own).from_dict({**own.to_dict(), **image["processor"]})
    if getattr(processor, "image_processor", None) is not None:
        preparing_once(processor.image_processor)
    return processor


def write_image_fields(directory, image):
    """Has a model's files say what `image` of a job says, whichever of them readers take."""
    for name, section in (("preprocessor_config.json", None), ("processor_config.json", "image_processor")):
        file = directory / name
        content = json.loads(file.read_text("utf8")) if file.exists() else {}
        settings = content.get(section) if section else content
        if settings:
            settings.update(image["processor"])
            file.write_text(f"{json.dumps(content, indent=2, ensure_ascii=False)}\n", "utf8")


def _stored_processor(directory, config):
    if is_torchvision_available() or type(config) not in PROCESSOR_MAPPING:
        return AutoProcessor.from_pretrained(directory, trust_remote_code=False)
    kind = PROCESSOR_MAPPING[type(config)]

    class WithoutVideos(kind):
        def check_argument_for_proper_class(self, argument_name, argument):
            if isinstance(argument, NoVideos):
                return NoVideos
            return super().check_argument_for_proper_class(argument_name, argument)

    WithoutVideos.__name__ = kind.__name__
    with _no_video_processors():
        return WithoutVideos.from_pretrained(directory)


@contextmanager
def _no_video_processors():
    usual = processing_utils.MODALITY_TO_AUTOPROCESSOR_MAPPING
    processing_utils.MODALITY_TO_AUTOPROCESSOR_MAPPING = {name: usual[name] for name in usual.keys()} | {"video_processor": NoVideos}
    # A package that is required only to write a video's number of frames as a word.
    processing_smolvlm.num2words = processing_smolvlm.num2words or str
    try:
        yield
    finally:
        processing_utils.MODALITY_TO_AUTOPROCESSOR_MAPPING = usual
