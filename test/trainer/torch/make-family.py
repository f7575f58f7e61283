"""
Writes a tiny model with random weights, of a family of transformers that make-chat-model.py has not:
`make-family.py <directory> <kind>…` writes `<directory>/<kind>` for each, by the Python of `dataengine setup --torch`.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForImageTextToText

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}
LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
VISION = {**LAYERS, "image_size": 32, "patch_size": 8}
SIGLIP = {**VISION, "model_type": "siglip_vision_model", "vision_use_head": False}
CLIP = {**VISION, "model_type": "clip_vision_model", "projection_dim": 32}
SQUARE = {"height": 32, "width": 32}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10000.0}


def turns(start, between, end, generation, image, role="m['role']"):
    """A chat template; image and text stand in the order of the content."""
    text = "{% if c['type'] == 'image' %}" + image + "{% else %}{{ c['text'] }}{% endif %}"
    body = "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}" + text + "{% endfor %}{% endif %}"
    head = "{% for m in messages %}" + start + "{{ " + role + " }}" + between
    return head + body + end + "{% endfor %}{% if add_generation_prompt %}" + generation + "{% endif %}"


GEMMA_ROLE = "'model' if m['role'] == 'assistant' else m['role']"
UTTERANCE = turns("", ": ", "<end_of_utterance>\n", "Assistant:", "<image>", "m['role'] | capitalize")
# Only an answer is ended.
LLAVA = turns("", ": ", "{% if m['role'] == 'assistant' %}</s>{% else %}\n{% endif %}", "ASSISTANT:", "<image>\n", "m['role'] | upper")
LLAMA_NAMES = ["<s>", "</s>", "<pad>", "<image>", "<video>", "<image_placeholder>"]
LLAMA = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
IDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}


def idefics3(vocabulary, kind="idefics3", name="Idefics3"):
    config = {
        "text_config": {"model_type": "llama", **TEXT, **IDS, "vocab_size": len(vocabulary)},
        "vision_config": {"model_type": f"{kind}_vision", **VISION},
        "image_token_id": vocabulary["<image>"],
        "scale_factor": 2,
        "pad_token_id": 2,
    }
    images = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}, "do_image_splitting": True}
    return config, {"image_processor_type": f"{name}ImageProcessor", **images}, {"processor_class": f"{name}Processor", "image_seq_len": 4}


def smolvlm(vocabulary):
    return idefics3(vocabulary, "smolvlm", "SmolVLM")


def idefics2(vocabulary):
    config = {
        "text_config": {"model_type": "mistral", **TEXT, **IDS, "vocab_size": len(vocabulary), "sliding_window": None},
        "vision_config": {"model_type": "idefics2_vision", **VISION},
        "perceiver_config": {
            "model_type": "idefics2_perceiver",
            "hidden_size": 32,
            "resampler_n_latents": 4,
            "resampler_depth": 1,
            "resampler_n_heads": 2,
            "resampler_head_dim": 16,
            "num_key_value_heads": 1,
        },
        "image_token_id": vocabulary["<image>"],
    }
    images = {"size": {"shortest_edge": 16, "longest_edge": 32}, "do_image_splitting": False}
    return config, {"image_processor_type": "Idefics2ImageProcessor", **images}, {"processor_class": "Idefics2Processor", "image_seq_len": 4}


def mllama(vocabulary):
    text = {**TEXT, **IDS, "num_hidden_layers": 3, "cross_attention_layers": [1], "rope_parameters": PLAIN_ROPE}
    config = {
        "text_config": {"model_type": "mllama_text_model", **text, "vocab_size": len(vocabulary)},
        "vision_config": {
            "model_type": "mllama_vision_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "attention_heads": 4,
            "image_size": 28,
            "patch_size": 14,
            "max_num_tiles": 4,
            "intermediate_layers_indices": [0, 1],
            "vision_output_dim": 96,
        },
        "image_token_index": vocabulary["<|image|>"],
    }
    images = {"size": {"height": 28, "width": 28}, "max_image_tiles": 4, "do_pad": True}
    return config, {"image_processor_type": "MllamaImageProcessor", **images}, {"processor_class": "MllamaProcessor"}


def glm4v(vocabulary):
    text = {**TEXT, **IDS, "rope_parameters": {**PLAIN_ROPE, "mrope_section": [1, 1, 2], "partial_rotary_factor": 1.0}}
    config = {
        "text_config": {"model_type": "glm4v_text", **text, "vocab_size": len(vocabulary)},
        "vision_config": {
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 4,
            "image_size": 56,
            "patch_size": 14,
            "out_hidden_size": 32,
            "intermediate_size": 64,
        },
        "image_token_id": vocabulary["<|image|>"],
        "video_token_id": vocabulary["<|video|>"],
        "image_start_token_id": vocabulary["<|begin_of_image|>"],
        "image_end_token_id": vocabulary["<|end_of_image|>"],
        "video_start_token_id": vocabulary["<|begin_of_video|>"],
        "video_end_token_id": vocabulary["<|end_of_video|>"],
    }
    size = {"shortest_edge": 28 * 28 * 2, "longest_edge": 28 * 28 * 2 * 4}
    images = {"patch_size": 14, "temporal_patch_size": 2, "merge_size": 2, "size": size}
    return config, {"image_processor_type": "Glm4vImageProcessor", **images}, {"processor_class": "Glm4vProcessor"}


def qwen3_vl(vocabulary):
    config = {
        "text_config": {
            "model_type": "qwen3_vl_text",
            **TEXT,
            **IDS,
            "vocab_size": len(vocabulary),
            "head_dim": 8,
            "rope_parameters": {**PLAIN_ROPE, "mrope_section": [1, 1, 2]},
        },
        "vision_config": {
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 4,
            "patch_size": 8,
            "out_hidden_size": 32,
            "intermediate_size": 64,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        "image_token_id": vocabulary["<|image_pad|>"],
        "video_token_id": vocabulary["<|video_pad|>"],
        "vision_start_token_id": vocabulary["<|vision_start|>"],
        "vision_end_token_id": vocabulary["<|vision_end|>"],
    }
    size = {"shortest_edge": 256, "longest_edge": 4096}
    images = {"patch_size": 8, "temporal_patch_size": 2, "merge_size": 2, "size": size}
    return config, {"image_processor_type": "Qwen2VLImageProcessor", **images}, {"processor_class": "Qwen3VLProcessor"}


def vipllava(vocabulary):
    config = {
        "text_config": {"model_type": "llama", **TEXT, **IDS, "vocab_size": len(vocabulary)},
        "vision_config": CLIP,
        "image_token_index": vocabulary["<image>"],
        "vision_feature_layer": [-2, -1, 1],
    }
    processor = {"processor_class": "LlavaProcessor", **LLAVA_PROCESSOR}
    return config, {"image_processor_type": "CLIPImageProcessor", **CROPPED}, processor


LLAVA_PROCESSOR = {"patch_size": 8, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
CROPPED = {"size": {"shortest_edge": 32}, "crop_size": SQUARE}


def llava_next_video(vocabulary):
    grid = [[32, 32], [32, 64], [64, 32]]
    config = {
        "text_config": {"model_type": "llama", **TEXT, **IDS, "vocab_size": len(vocabulary)},
        "vision_config": CLIP,
        "image_token_index": vocabulary["<image>"],
        "video_token_index": vocabulary["<video>"],
        "image_grid_pinpoints": grid,
    }
    images = {"image_processor_type": "LlavaNextImageProcessor", **CROPPED, "image_grid_pinpoints": grid}
    return config, images, {"processor_class": "LlavaNextVideoProcessor", **LLAVA_PROCESSOR}


def video_llava(vocabulary):
    config = {
        "text_config": {"model_type": "llama", **TEXT, **IDS, "vocab_size": len(vocabulary)},
        "vision_config": CLIP,
        "image_token_index": vocabulary["<image>"],
        "video_token_index": vocabulary["<video>"],
    }
    return config, {"image_processor_type": "VideoLlavaImageProcessor", **CROPPED}, {"processor_class": "VideoLlavaProcessor", **LLAVA_PROCESSOR}


def gemma3(vocabulary):
    layers = {"head_dim": 8, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]}
    config = {
        "text_config": {"model_type": "gemma3_text", **TEXT, **IDS, **layers, "vocab_size": len(vocabulary)},
        "vision_config": SIGLIP,
        "mm_tokens_per_image": 4,
        "image_token_index": vocabulary["<image_soft_token>"],
        "boi_token_index": vocabulary["<start_of_image>"],
        "eoi_token_index": vocabulary["<end_of_image>"],
    }
    images = {"image_processor_type": "Gemma3ImageProcessor", "size": SQUARE, "do_pan_and_scan": False}
    return config, images, {"processor_class": "Gemma3Processor", "image_seq_length": 4}


def paligemma(vocabulary):
    # Its processor adds 1152 tokens for places and segments.
    text = {**TEXT, **IDS, "head_dim": 8, "vocab_size": len(vocabulary) + 1200}
    config = {
        "text_config": {"model_type": "gemma", **text},
        "vision_config": {**SIGLIP, "projection_dim": 32},
        "image_token_index": vocabulary["<image>"],
        "projection_dim": 32,
        "hidden_size": 32,
    }
    images = {"image_processor_type": "SiglipImageProcessor", "size": SQUARE, "image_seq_length": 16}
    return config, images, {"processor_class": "PaliGemmaProcessor"}


def deepseek_vl(vocabulary):
    config = {
        "text_config": {"model_type": "llama", **TEXT, **IDS, "vocab_size": len(vocabulary)},
        "vision_config": SIGLIP,
        "image_token_id": vocabulary["<image_placeholder>"],
    }
    return config, {"image_processor_type": "DeepseekVLImageProcessor", "size": SQUARE}, {"processor_class": "DeepseekVLProcessor", "num_image_tokens": 16}


IDEFICS_NAMES = ["<s>", "<end_of_utterance>", "<pad>", "<image>", "<fake_token_around_image>", "<global-img>"]
TILES = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
IDEFICS = {"bos_token": "<s>", "eos_token": "<end_of_utterance>", "pad_token": "<pad>"}
GEMMA = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
GEMMA_TURNS = "<start_of_turn>", "\n", "<end_of_turn>\n", "<start_of_turn>model\n"
MLLAMA_END = "<|eot_id|>"
# Special tokens (the first three begin, end and pad), settings of the tokenizer, chat template, and what makes the rest.
FAMILIES = {
    "smolvlm": (IDEFICS_NAMES + TILES, IDEFICS, UTTERANCE, smolvlm),
    "idefics3": (IDEFICS_NAMES + TILES, IDEFICS, UTTERANCE, idefics3),
    "idefics2": (IDEFICS_NAMES, IDEFICS, UTTERANCE, idefics2),
    "mllama": (
        ["<|begin_of_text|>", MLLAMA_END, "<|finetune_right_pad_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|python_tag|>", "<|image|>"],
        {"bos_token": "<|begin_of_text|>", "eos_token": MLLAMA_END, "pad_token": "<|finetune_right_pad_id|>"},
        "{{ bos_token }}"
        + turns(
            "<|start_header_id|>",
            "<|end_header_id|>\n\n",
            MLLAMA_END,
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|image|>",
        ),
        mllama,
    ),
    "glm4v": (
        ["<s>", "<|im_end|>", "<pad>", "<|im_start|>", "<|image|>", "<|video|>"]
        + [f"<|{side}_of_{kind}|>" for side in ("begin", "end") for kind in ("image", "video")],
        {"eos_token": "<|im_end|>", "pad_token": "<pad>"},
        turns("<|im_start|>", "\n", "<|im_end|>\n", "<|im_start|>assistant\n", "<|begin_of_image|><|image|><|end_of_image|>"),
        glm4v,
    ),
    "qwen3_vl": (
        ["<s>", "<|im_end|>", "<pad>", "<|im_start|>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"],
        {"eos_token": "<|im_end|>", "pad_token": "<pad>"},
        turns("<|im_start|>", "\n", "<|im_end|>\n", "<|im_start|>assistant\n", "<|vision_start|><|image_pad|><|vision_end|>"),
        qwen3_vl,
    ),
    "vipllava": (LLAMA_NAMES, LLAMA, LLAVA, vipllava),
    "llava_next_video": (LLAMA_NAMES, LLAMA, LLAVA, llava_next_video),
    "video_llava": (LLAMA_NAMES, LLAMA, LLAVA, video_llava),
    "gemma3": (
        ["<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"],
        {
            **GEMMA,
            "extra_special_tokens": {
                "boi_token": "<start_of_image>",
                "eoi_token": "<end_of_image>",
                "image_token": "<image_soft_token>",
            },
        },
        "{{ bos_token }}" + turns(*GEMMA_TURNS, "<start_of_image>", GEMMA_ROLE),
        gemma3,
    ),
    "paligemma": (
        ["<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", "<image>"],
        {**GEMMA, "extra_special_tokens": {"image_token": "<image>"}},
        turns(*GEMMA_TURNS, "<image>", GEMMA_ROLE),
        paligemma,
    ),
    "deepseek_vl": (
        LLAMA_NAMES,
        {**LLAMA, "extra_special_tokens": {"image_token": "<image_placeholder>"}},
        LLAVA.replace("<image>\n", "<image_placeholder>"),
        deepseek_vl,
    ),
}


def make(directory, kind):
    directory.mkdir(parents=True)
    special, names, template, family = FAMILIES[kind]
    vocabulary = write_tokenizer(directory, special, names)
    config, images, processor = family(vocabulary)
    torch.manual_seed(0)
    module = AutoModelForImageTextToText.from_config(AutoConfig.for_model(kind, **config))
    for name, parameter in module.named_parameters():
        # Larger than the usual initial values, so that images and words make a difference.
        torch.nn.init.normal_(parameter, std=0.12) if parameter.dim() > 1 else None
        # Those of Mllama are closed in a new model.
        parameter.data.fill_(0.7) if "gate" in name and parameter.numel() == 1 else None
    module.save_pretrained(directory)
    write(directory / "preprocessor_config.json", {**images, "image_mean": [0.5] * 3, "image_std": [0.5] * 3})
    write(directory / "processor_config.json", processor)
    (directory / "chat_template.jinja").write_text(template, "utf8")


def write_tokenizer(directory, special, names):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [
        "USER: ASSISTANT: user assistant model\n",
        "What is the color of the dog?\n(A) red (B) blue (C) green (D) yellow\nThe answer is (A) red.",
        "Where is the cat? The answer is (B) left of the chair. Describe this image in detail.",
    ]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    if begin := names.get("bos_token"):
        marks = [(begin, tokenizer.token_to_id(begin))]
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=marks)
    tokenizer.save(str(directory / "tokenizer.json"))
    write(directory / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **names})
    return tokenizer.get_vocab()


def write(file, value):
    file.write_text(f"{json.dumps(value, indent=2)}\n", "utf8")


if __name__ == "__main__":
    for kind in sys.argv[2:]:
        make(Path(sys.argv[1]) / kind, kind)
