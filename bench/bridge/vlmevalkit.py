"""Runs VLMEvalKit's own data sets against a server: its reading of the TSV, its prompt, its client, its evaluation without a judge.

usage: vlmevalkit.py CHECKOUT FOLDER DATASET URL MODEL OUTPUT
FOLDER has DATASET.tsv; OUTPUT gets its prediction file and what its evaluation writes beside it, and prompts, answers and verdicts as JSON.

Only the modules that this needs are loaded: the packages' own __init__ import some hundred data sets and clients with packages
of their own. Images go to the server as PNG: by default it encodes them anew as JPEG, which is another image.
"""
import ast
import importlib
import json
import os
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

checkout, folder, name, url, model, output = sys.argv[1:]
os.environ |= {"LMUData": str(Path(folder).resolve()), "PRED_FORMAT": "tsv", "EVAL_FORMAT": "csv"}
for package in ["vlmeval", "vlmeval.dataset", "vlmeval.api"]:
    bare = types.ModuleType(package)
    bare.__path__ = [str(Path(checkout, *package.split(".")))]
    sys.modules[package] = bare
# Prompts of single models, which need all data sets; none is used here.
sys.modules["vlmeval.api.adapters"] = types.ModuleType("vlmeval.api.adapters")
sys.modules["vlmeval.api.adapters"].build_adapter = None

kinds = {"POPE": "yorn.ImageYORNDataset"} | dict.fromkeys(["MMStar", "AI2D_TEST", "ScienceQA_TEST"], "mcq.ImageMCQDataset")
module, kind = kinds.get(name, "vqa.ImageVQADataset").split(".")
known = getattr(importlib.import_module(f"vlmeval.dataset.image_{module}"), kind)
lmdeploy = importlib.import_module("vlmeval.api.lmdeploy")
lmdeploy.encode_image_to_base64 = partial(lmdeploy.encode_image_to_base64, fmt="PNG")
smp = importlib.import_module("vlmeval.smp")


class Local(known):
    # A file of another content than the published one, which it would download.
    DATASET_MD5 = {}


dataset = Local(dataset=name)
client = lmdeploy.LMDeployAPI(model=model, api_base=f"{url}/chat/completions", max_tokens=64, verbose=False, timeout=600)
prompts = [dataset.build_prompt(dataset.data.iloc[number]) for number in range(len(dataset))]
with ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(client.generate, prompts))
data = dataset.data.copy()
data["prediction"] = answers
file = str(Path(output, f"bridge_{name}.tsv"))
Path(output).mkdir(parents=True, exist_ok=True)
smp.dump(data.drop(columns=["image"]), file)
words = {str(index): prompt[-1]["value"] for index, prompt in zip(data["index"], prompts)}
Path(output, "prompts.json").write_text(json.dumps(words))
Path(output, "answers.json").write_text(json.dumps(dict(zip(map(str, data["index"]), answers))))
figures = dataset.evaluate(file, model="exact_matching", nproc=1)
Path(output, "figures.json").write_text(figures.to_json(orient="records"))


def verdicts():
    if kind == "ImageVQADataset":
        score = importlib.import_module("vlmeval.dataset.utils.vqa_eval").hit_calculate
        results = smp.load(file.replace(".tsv", "_results.tsv"))
        rows = [{"match": ast.literal_eval(str(match))} for match in results["eval_match"]]
        return zip(results["index"], score(rows, name))
    ending, column = ("_auxmatch.tsv", "score") if kind == "ImageYORNDataset" else ("_exact_matching_result.tsv", "hit")
    results = smp.load(file.replace(".tsv", ending))
    return zip(results["index"], results[column])


lines = [{"id": str(index), "score": float(score)} for index, score in verdicts()]
Path(output, "verdicts.json").write_text(json.dumps(lines))
