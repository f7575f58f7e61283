"""
Writes a tiny vision-language model with random weights, of a kind that is none of the built-in families:
`make-chat-model.py <qwen2_5_vl|llava_onevision|llava_next|internvl> <directory> [<dtype>]`, by the Python of `dataengine setup --torch`.
With a dtype the weights are in shards.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, decoders, trainers
from transformers import AutoConfig, AutoModelForImageTextToText

QWEN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ content['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# As those of the published LLaVA checkpoints: nothing but a space ends an answer.
LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
QWEN_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
INTERNVL_NAMES = {
    "start_image_token": "<|vision_start|>",
    "end_image_token": "<|vision_end|>",
    "context_image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
}
LLAVA_TOKENS = ["<s>", "</s>", "<pad>", "<image>", "<video>"]
LAYERS = {"num_hidden_layers": 2, "num_attention_heads": 4}


def main(kind, directory, dtype=None):
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    make = {"qwen2_5_vl": qwen, "llava_onevision": llava_onevision, "llava_next": llava_next, "internvl": internvl}[kind]
    llava_like = kind.startswith("llava")
    ids = write_tokenizer(directory, LLAVA_TOKENS if llava_like else QWEN_TOKENS)
    config, preprocessor, processor = make(ids)
    torch.manual_seed(0)
    module = AutoModelForImageTextToText.from_config(AutoConfig.for_model(kind, **config))
    for parameter in module.parameters():
        # Larger than the usual initial values, so that images and words make a difference.
        torch.nn.init.normal_(parameter, std=0.08) if parameter.dim() > 1 else None
    if dtype:
        module.to(getattr(torch, dtype)).save_pretrained(directory, max_shard_size="60KB")
    else:
        module.save_pretrained(directory)
    write(directory / "preprocessor_config.json", preprocessor)
    if processor:
        write(directory / "processor_config.json", processor)
    template = LLAVA_TEMPLATE if llava_like else QWEN_TEMPLATE
    if kind == "internvl":
        template = template.replace("<|vision_start|><|image_pad|><|vision_end|>", "<|image_pad|>\n")
    (directory / "chat_template.jinja").write_text(template, "utf8")


def text_config(ids, model_type):
    return {
        "model_type": model_type,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_key_value_heads": 2,
        "vocab_size": len(ids),
        "max_position_embeddings": 2048,
        **LAYERS,
    }


def qwen(ids):
    config = {
        "text_config": {
            **text_config(ids, "qwen2_5_vl_text"),
            "rope_scaling": {"rope_type": "default", "mrope_section": [1, 1, 2]},
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
            "tie_word_embeddings": True,
        },
        "vision_config": {
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 4,
            "out_hidden_size": 32,
            "patch_size": 8,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 32,
            "fullatt_block_indexes": [1],
        },
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "tie_word_embeddings": True,
    }
    preprocessor = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
        "patch_size": 8,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "min_pixels": 256,
        "max_pixels": 4096,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    return config, preprocessor, None


def llava(ids, size):
    return {
        "text_config": {**text_config(ids, "qwen2"), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2},
        "image_token_index": ids["<image>"],
        "image_token_id": ids["<image>"],
        "image_grid_pinpoints": [[size, size], [size, 2 * size], [2 * size, size]],
        "vision_feature_select_strategy": "full",
        "vision_feature_layer": -1,
        "tie_word_embeddings": False,
    }


def llava_onevision(ids):
    vision = {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "image_size": 32, "patch_size": 8}
    config = {
        **llava(ids, 32),
        "vision_config": {**vision, "vision_use_head": False, **LAYERS},
        "video_token_id": ids["<video>"],
        "vision_aspect_ratio": "anyres_max_9",
    }
    preprocessor = {
        "image_processor_type": "LlavaOnevisionImageProcessor",
        "processor_class": "LlavaOnevisionProcessor",
        "size": {"height": 32, "width": 32},
        "image_grid_pinpoints": config["image_grid_pinpoints"],
    }
    processor = {
        "processor_class": "LlavaOnevisionProcessor",
        "num_image_tokens": 16,
        "vision_feature_select_strategy": "full",
        "vision_aspect_ratio": "anyres_max_9",
    }
    return config, preprocessor, processor


def llava_next(ids):
    vision = {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64, "image_size": 32, "patch_size": 8}
    config = {
        **llava(ids, 32),
        "text_config": {**text_config(ids, "llama"), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2},
        "vision_config": {**vision, "projection_dim": 32, **LAYERS},
        "vision_feature_select_strategy": "default",
        "vision_feature_layer": -2,
    }
    preprocessor = {
        "image_processor_type": "LlavaNextImageProcessor",
        "processor_class": "LlavaNextProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
        "image_grid_pinpoints": config["image_grid_pinpoints"],
    }
    processor = {
        "processor_class": "LlavaNextProcessor",
        "patch_size": 8,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
    }
    return config, preprocessor, processor


def internvl(ids):
    vision = {"hidden_size": 32, "intermediate_size": 64, "image_size": [32, 32], "patch_size": [8, 8], **LAYERS}
    config = {
        "text_config": {
            **text_config(ids, "qwen2"),
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        "vision_config": vision,
        "image_token_id": ids["<|image_pad|>"],
        "image_seq_length": 4,
        "downsample_ratio": 0.5,
    }
    # Images are cut into as many pieces as their shape asks for; its processor pads on the left unless it is set to the right.
    preprocessor = {
        "image_processor_type": "GotOcr2ImageProcessor",
        "processor_class": "InternVLProcessor",
        "size": {"height": 32, "width": 32},
        "crop_to_patches": True,
    }
    return config, preprocessor, {"processor_class": "InternVLProcessor", "image_seq_length": 4}


def write_tokenizer(directory, special):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [
        "USER: ASSISTANT: user assistant\n",
        "What is the color of the dog?\n(A) red (B) blue (C) green (D) yellow\nThe answer is (A) red.",
        "Where is the cat? The answer is (B) left of the chair. How many things are there? Describe this image in detail.",
    ]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=360, special_tokens=special, initial_alphabet=alphabet))
    tokenizer.save(str(directory / "tokenizer.json"))
    qwen_like = special is QWEN_TOKENS
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>" if qwen_like else "</s>",
        "pad_token": "<|endoftext|>" if qwen_like else "<pad>",
        **(INTERNVL_NAMES if qwen_like else {"bos_token": "<s>"}),
        "model_max_length": 2048,
    }
    write(directory / "tokenizer_config.json", settings)
    return tokenizer.get_vocab()


def write(file, value):
    file.write_text(f"{json.dumps(value, indent=2)}\n", "utf8")


if __name__ == "__main__":
    main(*sys.argv[1:])
