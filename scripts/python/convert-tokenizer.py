"""Makes the tokenizer.json of a directory that has only a SentencePiece tokenizer.model.

Arguments: the model directory, the file to write.
"""

import sys

from transformers import AutoTokenizer

directory, output = sys.argv[1:]
AutoTokenizer.from_pretrained(directory, use_fast=True, local_files_only=True).backend_tokenizer.save(output)
