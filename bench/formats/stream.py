"""The other side of bench/formats.ts: reads with `load_dataset(streaming=True)`, and checks each record as ours does."""
import json, resource, sys, time

from datasets import load_dataset

source, path = sys.argv[1:]
start = time.perf_counter()
builder, files = ("json", path) if source == "messages" else ("parquet", f"{path}/*.parquet")
records = characters = 0
for row in load_dataset(builder, data_files=files, split="train", streaming=True):
    if source == "messages":
        user, assistant = row["messages"]
        [image] = row["images"]
        if user["role"] != "user" or assistant["role"] != "assistant":
            raise ValueError("not a question and an answer")
        question, answer = user["content"].replace("<image>", "", 1).strip(), assistant["content"].strip()
        if not (isinstance(image, str) and question and answer) or ".." in image.split("/"):
            raise ValueError("not a record")
        characters += len(image) + len(question) + len(answer) + len(row["question_type"]) + len(row["id"])
    else:
        choices, place = [choice.strip() for choice in row["choices"]], row["correct_choice_idx"]
        if not (2 <= len(choices) <= 26 and 0 <= place < len(choices) and all(choices)) or ".." in row["image"].split("/"):
            raise ValueError("not a question")
        characters += len(row["question"].strip()) + sum(map(len, choices))
    records += 1
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"records": records, "characters": characters, "seconds": seconds, "peakMiB": peak}))
