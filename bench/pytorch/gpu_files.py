"""What gpu.py works on: a model of random weights, photos, samples and questions, all made here."""

import random

# What a job of the worker says of the families: test/bench/gpu-families.test.ts holds it against src/model/families.
FORMS = {
    "llava": {
        "imageMark": "<image>",
        "endMark": "</s>",
        "answerSeparator": " ",
        "tokenized": "together",
        "turn": "USER: <image>\n{question} ASSISTANT:",
        "turnWithoutImage": "USER: {question} ASSISTANT:",
        "trimsQuestion": True,
    },
    "minigpt4": {
        "imageMark": "<ImageHere>",
        "endMark": "###",
        "answerSeparator": "",
        "tokenized": "apart",
        "turn": "###Human: <Img><ImageHere></Img> {question}###Assistant: ",
        "turnWithoutImage": "###Human: {question}###Assistant: ",
        "trimsQuestion": False,
    },
}
SHAPES = {
    "tiny": {"hidden": 64, "inner": 128, "layers": 2, "heads": 4, "vision": (64, 128, 2, 4), "image": 64, "patch": 32, "words": 1000},
    "150m": {"hidden": 768, "inner": 2048, "layers": 12, "heads": 12, "vision": (512, 2048, 8, 8), "image": 224, "patch": 32, "words": 32000},
    "7b": {"hidden": 4096, "inner": 11008, "layers": 32, "heads": 32, "vision": (1408, 6144, 39, 16), "image": 224, "patch": 14, "words": 32000},
}
NEW_TOKENS = 24
BATCH = 16


def gigabytes(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e9


def write_files(bench):
    """A model of random weights with its tokenizer, photos of noise, samples and questions of mixed lengths."""
    import numpy as np
    import torch
    from PIL import Image
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoConfig, AutoModelForImageTextToText

    randomly, shape = random.Random(0), bench.shape
    (bench.work / "images").mkdir(exist_ok=True)
    photos = []
    # Each image is shown twice, as in two epochs.
    for number in range(max(bench.steps * BATCH // 2, bench.questions)):
        photos.append(str(bench.work / "images" / f"{number}.jpg"))
        small = np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC).save(photos[-1])
    syllables = [one + other for one in "bdfgklmnprstvz" for other in "aeiou"]

    def text(least, most):
        return " ".join("".join(randomly.choices(syllables, k=2)) for _ in range(randomly.randint(least, most)))

    def question(number):
        choices = [text(1, 4) for _ in range(4)]
        listed = "\n".join(f"({letter}) {choice}" for letter, choice in zip("ABCD", choices))
        answers = [f"The answer is ({letter}) {choice}" for letter, choice in zip("ABCD", choices)]
        return {"question_id": str(number), "image": photos[number % len(photos)], "question": f"{text(6, 30)}?\n{listed}",
                "answerStart": "The answer is", "answers": answers}

    asked = [question(number) for number in range(bench.steps * BATCH)]
    samples = [{"id": one["question_id"], "image": one["image"], "prompt": one["question"], "answer": f"{one['answers'][0]}. {text(2, 30)}"}
               for one in asked]
    bench.write_lines("samples.jsonl", samples)
    bench.write_lines("parity.jsonl", samples[:3])
    bench.write("order.json", randomly.sample(range(len(samples)), len(samples)))
    asked = [question(number) for number in range(bench.questions)]
    bench.write_lines("ranked.jsonl", asked)
    bench.write_lines("written.jsonl", [{**one, "answers": [], "generate": {"question": one["question"], "maximumNewTokens": NEW_TOKENS}}
                                        for one in asked[:32]])

    bench.model.mkdir(exist_ok=True)
    special = ["<s>", "</s>", "<pad>", FORMS[bench.family]["imageMark"]]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([one["prompt"] + one["answer"] for one in samples], trainer)
    tokenizer.save(str(bench.model / "tokenizer.json"))
    named = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "tokenizer_class": "PreTrainedTokenizerFast"}
    bench.write("model/tokenizer_config.json", named)
    side = {"height": shape["image"], "width": shape["image"]}
    bench.write("model/preprocessor_config.json", {"image_processor_type": "BlipImageProcessor", "size": side})

    def layers(hidden, inner, count, heads):
        return {"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": count, "num_attention_heads": heads}

    vision = {**layers(*shape["vision"]), "image_size": shape["image"], "patch_size": shape["patch"]}
    words = {**layers(shape["hidden"], shape["inner"], shape["layers"], shape["heads"]), "model_type": "llama", "vocab_size": shape["words"],
             "max_position_embeddings": 2048, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "tie_word_embeddings": False}
    if bench.family == "llava":
        config = {"model_type": "llava", "vision_config": {**vision, "model_type": "clip_vision_model"}, "vision_feature_layer": -2}
    else:
        former = {**layers(768, 3072, 12, 12), "encoder_hidden_size": shape["vision"][0], "cross_attention_frequency": 2}
        config = {"model_type": "blip-2", "num_query_tokens": 32, "vision_config": vision, "qformer_config": former}
    bench.write("model/config.json", {**config, "text_config": words, "image_token_index": 3, "tie_word_embeddings": False})
    with torch.device("meta"):
        named = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(bench.model)).state_dict()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, bench.dtype)
    torch.manual_seed(0)

    def value(name, shape):
        plain = torch.ones if "norm" in name and name.endswith("weight") else torch.zeros if name.endswith("bias") else None
        return plain(shape, dtype=dtype) if plain else torch.empty(shape, dtype=dtype, device=device).normal_(0, 0.02).cpu()

    names, index = [name for name, one in named.items() if one.is_floating_point()], {}
    for number in range(0, len(names), 150):
        file = f"model-{number:05d}.safetensors"
        save_file({name: value(name, named[name].shape) for name in names[number : number + 150]}, bench.model / file, {"format": "pt"})
        index |= dict.fromkeys(names[number : number + 150], file)
    bench.write("model/model.safetensors.index.json", {"metadata": {}, "weight_map": index})
    return {"parameters": sum(named[name].numel() for name in names), "gigabytes": round(gigabytes(bench.model), 2)}
