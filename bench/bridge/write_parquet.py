"""Writes records as `datasets` writes them: usage write_parquet.py IMAGES ROWS.jsonl FILE.parquet [ROWS FILE …]"""
import json
import sys
from pathlib import Path

from datasets import Dataset, Image

images, *pairs = sys.argv[1:]
for rows_file, parquet in zip(pairs[::2], pairs[1::2]):
    rows = [json.loads(line) for line in Path(rows_file).read_text(encoding="utf-8").splitlines()]
    for row in rows:
        name = row["image"]
        row["image"] = {"bytes": (Path(images) / name).read_bytes(), "path": name}
    Dataset.from_list(rows).cast_column("image", Image()).to_parquet(parquet)
