"""
The mean loss over all answer tokens of samples, by transformers alone: the whole conversation through the chat template, its
labels masked by the length of the prompt. `chat-reference.py <model directory> <samples.jsonl> <count>` prints it.
"""

import json
import sys
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
from processors import processor_of  # noqa: E402


def main(directory, samples, count):
    processor = processor_of(directory, AutoConfig.from_pretrained(directory))
    module = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32).eval()
    total, learned = 0.0, 0
    for line in Path(samples).read_text("utf8").splitlines()[: int(count)]:
        sample = json.loads(line)
        user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": sample["prompt"].strip()}]}
        assistant = {"role": "assistant", "content": [{"type": "text", "text": sample["answer"]}]}
        image = Image.open(sample["image"]).convert("RGB")
        prompt = processor.apply_chat_template([user], add_generation_prompt=True)
        # A template of LLaVA's ends an answer with a space, which is no end: its end token stands there instead.
        whole = processor.apply_chat_template([user, assistant]).rstrip()
        whole += "" if whole.endswith(processor.tokenizer.eos_token) else processor.tokenizer.eos_token
        asked, told = (processor(text=[text], images=[image], return_tensors="pt") for text in (prompt, whole))
        labels = told["input_ids"].clone()
        labels[:, : asked["input_ids"].shape[1]] = -100
        with torch.no_grad():
            loss = module(**told, labels=labels).loss.item()
        tokens = int((labels != -100).sum())
        total, learned = total + loss * tokens, learned + tokens
    print(total / learned)


if __name__ == "__main__":
    main(*sys.argv[1:])
