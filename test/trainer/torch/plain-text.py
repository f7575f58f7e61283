"""
Texts with marks, by the tokenizer of each directory: `plain-text.py <texts.json> <output> <directory>…` writes, a line each, the
broken texts and their ids.
"""

import json
import sys
from pathlib import Path

from transformers import PreTrainedTokenizerFast

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
from plain_text import plain_text_of  # noqa: E402


def main(texts, output, *directories):
    lines = []
    for directory in directories:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(directory).backend_tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        plain_text = plain_text_of(tokenizer)
        plain = [plain_text(text) for text in json.loads(Path(texts).read_text("utf8"))]
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in plain]
        lines.append(json.dumps({"plain": plain, "ids": ids}))
    Path(output).write_text("\n".join(lines), "utf8")


if __name__ == "__main__":
    main(*sys.argv[1:])
