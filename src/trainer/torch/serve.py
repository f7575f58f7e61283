"""
An engine on PyTorch for any model of transformers that is trained here: the requests of src/serving/protocol.ts, one after the
other. Adapters lie unmerged over the model, and each request says which of them counts.
"""

import base64
import ctypes
import json
import os
import queue
import random
import signal
import sys
import tempfile
import threading
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from images import open_with
from models import Model, bare_module
from paligemma_family import PaliGemmaFamily
from protocol import JobError
from served_prompts import prompt_of
from served_text import TextStream

PR_SET_PDEATHSIG = 1
# Adapters whose loading changes the base model's own weights: unmerged over one model they would change each other's.
CHANGE_THE_BASE = ("pissa", "olora", "corda", "eva", "loftq", "lora_ga")
# As src/serving/tensorflow/open-engine.ts.
CHARACTERS_OF_A_TOKEN = 64


class Canceled(Exception):
    """Nobody waits for the answer any more."""


def send(kind, **content):
    os.write(1, f"{json.dumps({'type': kind, **content})}\n".encode())


def failure(model, error):
    """As src/core/input-error.ts has it, for what a person must repair."""
    if isinstance(error, (JobError, ValueError)):
        problem, _, remedy = str(error).removeprefix(f"{model}: ").rpartition(". ")
        if not problem:
            problem, remedy = remedy, "Check the model and the request"
        return {"kind": "input", "file": str(model), "problem": problem, "remedy": remedy}
    kind = "memory" if isinstance(error, (torch.OutOfMemoryError, MemoryError)) else "internal"
    return {"kind": kind, "message": f"{type(error).__name__}: {error}"}


class Served:
    """The model and its adapters."""

    def __init__(self, job):
        self.job = job
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = Model(
            job["model"],
            self.device,
            job.get("family"),
            job.get("weightDtype", "float32"),
            job.get("computeDtype", "float32"),
            image=job.get("image"),
        )
        self.family = self.model.family
        self.names = [job["name"], *job["adapters"]]
        if job["name"] in job["adapters"]:
            raise JobError(f"{job['name']} is the name of the model and of an adapter. Give the adapter another name")
        # Names of adapters may hold what PEFT takes for a path to a module.
        self.adapters = {name: f"adapter{number}" for number, name in enumerate(job["adapters"])}
        self.module = self.model.module
        for name, directory in job["adapters"].items():
            self._load(self.adapters[name], directory)
        self.model.scorer.module = self.module
        text = bare_module(self.module).config.get_text_config()
        # No memory is set aside for it, and an image of some models has thousands of tokens.
        self.capacity = job.get("capacity") or getattr(text, "max_position_embeddings", None) or 2048

    def _load(self, name, directory):
        try:
            config = PeftConfig.from_pretrained(directory)
            init = getattr(config, "init_lora_weights", True)
            if isinstance(init, str) and init.lower().startswith(CHANGE_THE_BASE):
                problem = f"'{init}' changes the base model's weights when it is loaded"
                raise JobError(f"{directory}/adapter_config.json: init_lora_weights: {problem}. Merge the adapter, and serve the merged model")
            if isinstance(self.module, PeftModel):
                self.module.load_adapter(directory, adapter_name=name)
            else:
                self.module = PeftModel.from_pretrained(self.module, directory, adapter_name=name)
        except (OSError, ValueError, RuntimeError) as error:
            raise JobError(f"{directory}: is no adapter of this model: {error}") from error
        self.module.to(self.device).eval()

    def chosen(self, name):
        """A context in which the model is that of the name."""
        if name not in self.names:
            raise JobError(f"{name} is no model that is served. Take one of {', '.join(self.names)}")
        if not self.adapters:
            return _unchanged()
        if name == self.names[0]:
            return self.module.disable_adapter()
        self.module.set_adapter(self.adapters[name])
        return _unchanged()

    def _require_short(self, turns):
        characters = sum(len(part.get("text", "")) for turn in turns for part in turn["content"])
        if characters > CHARACTERS_OF_A_TOKEN * self.capacity:
            raise JobError(f"messages: have {characters} characters, and with an answer {self.capacity} tokens may be there. Ask for less")

    @torch.inference_mode()
    def generate(self, request, on_token, is_canceled):
        with self.chosen(request["model"]), self._autocast():
            self._require_short(request["turns"])
            inputs, separator = prompt_of(self.family, request["turns"], answers=True)
            count = inputs["input_ids"].shape[1]
            if count >= self.capacity:
                raise JobError(f"messages: have {count} tokens with those of their images, and with an answer {self.capacity} may be there. Ask for less")
            maximum = min(request["maxTokens"], self.capacity - count)
            chooser = Chooser(request, self.family, separator, maximum, on_token, is_canceled)
            settings = GenerationConfig(
                max_new_tokens=maximum,
                do_sample=False,
                num_beams=1,
                num_return_sequences=1,
                eos_token_id=chooser.ends,
                pad_token_id=_pad(self.family),
            )
            bare = bare_module(self.module)
            if bare.config.model_type == "blip-2" and "pixel_values" not in inputs:
                # It takes no text without an image.
                bare = bare.language_model
            bare.generate(**inputs, generation_config=settings, logits_processor=LogitsProcessorList([chooser]))
            return {"finish": chooser.finish or "length", "promptTokens": count, "completionTokens": chooser.count}

    @torch.inference_mode()
    def prompt_logprobs(self, request):
        if isinstance(self.family, PaliGemmaFamily):
            raise JobError("PaliGemma sees a prompt in both directions, so that its tokens have no probabilities after those before them. Rank written answers")
        with self.chosen(request["model"]), self._autocast():
            self._require_short(request["turns"])
            inputs, _ = prompt_of(self.family, request["turns"], answers=False, open_end=request.get("openEnd", False))
            ids = inputs["input_ids"][0]
            if len(ids) > self.capacity:
                raise JobError(f"messages: have {len(ids)} tokens with those of their images, and {self.capacity} may be there. Ask for less")
            scores = self.model.scorer.scores(inputs, len(ids))[0].float().log_softmax(-1)
            found = scores[:-1].gather(1, ids[1:, None])[:, 0].tolist()
        image = _image_ids(bare_module(self.module).config)
        known = ids.tolist()
        logprobs = [None, *(None if one in image else as_json(value) for one, value in zip(known[1:], found))]
        return {"ids": known, "tokens": [token_text(self.family, one) for one in known], "logprobs": logprobs}

    def _autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.job.get("computeDtype") == "bfloat16")


class Chooser(LogitsProcessor):
    """Chooses each token as a request wants it, and leaves `generate` no other; what is written goes out as it comes."""

    def __init__(self, request, family, separator, maximum, on_token, is_canceled):
        self.request, self.family, self.maximum = request, family, maximum
        self.on_token, self.is_canceled = on_token, is_canceled
        self.ends = family.ends
        stops = [*request["stop"], *([family.form["endMark"]] if hasattr(family, "form") else [])]
        skip = not hasattr(family, "form")
        self.stream = TextStream(lambda ids: family.tokenizer.decode(ids, skip_special_tokens=skip), stops, separator)
        self.random = random.Random(request["seed"])
        self.count, self.finish, self.held = 0, None, []

    def __call__(self, _ids, scores):
        if self.is_canceled():
            raise Canceled
        logits = scores[0].float()
        token = self._drawn(logits)
        self.count += 1
        if token in self.ends:
            self.finish = "stop"
            self._give_out(self.stream.end())
        else:
            self.held.append(self._described(token, logits))
            texts, stopped = self.stream.push(token)
            self._give_out(texts)
            if stopped:
                self.finish = "stop"
                token = self.ends[0]
            elif self.count >= self.maximum:
                self._give_out(self.stream.end())
        forced = torch.full_like(scores, float("-inf"))
        forced[0, token] = 0
        return forced

    def _give_out(self, texts):
        for text in texts:
            self.on_token({**self.held.pop(0), "text": text})

    def _drawn(self, logits):
        temperature = self.request["temperature"]
        if temperature == 0:
            return int(logits.argmax())
        # In float32 a tiny temperature is 0.
        probabilities, tokens = ((logits - logits.max()).double() / temperature).softmax(-1).sort(descending=True, stable=True)
        reached = probabilities.cumsum(0)
        # The likeliest that reach `topP` together, at least one.
        kept = int(((reached - probabilities) < self.request["topP"]).sum().clamp(min=1))
        place = int((reached[:kept] <= self.random.random() * float(reached[kept - 1])).sum())
        return int(tokens[min(place, kept - 1)])

    def _described(self, token, logits):
        count = self.request.get("topLogprobs")
        if count is None:
            return {"id": token}
        logprobs = logits.log_softmax(-1)
        best = logprobs.topk(count)
        top = [
            {"id": one, "text": token_text(self.family, one), "logprob": as_json(value)}
            for one, value in zip(best.indices.tolist(), best.values.tolist())
        ]
        return {"id": token, "logprob": as_json(float(logprobs[token])), "top": top}


class _unchanged:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def as_json(logprob):
    """JSON has no infinity: as src/serving/chat-response.ts writes it. A line that is no JSON is log, and its request waits forever."""
    if logprob != logprob:
        raise RuntimeError("the model's log-probabilities are no numbers: its weights are damaged")
    return max(logprob, -9999.0)


def token_text(family, token):
    """The text of a token behind another one, where a tokenizer has a space before a word."""
    ids = family.encode("a") if hasattr(family, "encode") else family.tokenizer("a", add_special_tokens=False)["input_ids"]
    before = family.tokenizer.decode(ids[-1:], skip_special_tokens=False)
    return family.tokenizer.decode([*ids[-1:], token], skip_special_tokens=False)[len(before) :]


def _pad(family):
    return family.pad if hasattr(family, "pad") else family.tokenizer.pad_token_id


def _image_ids(config):
    names = ("image_token_id", "image_token_index", "vision_start_token_id", "video_token_id", "boi_token_index", "eoi_token_index")
    return {value for name in names if isinstance(value := getattr(config, name, None), int)}


class Inbox:
    """Requests in their order, and which of them were canceled."""

    def __init__(self):
        self.requests, self.canceled = queue.Queue(), set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in sys.stdin:
            message = json.loads(line)
            if message["type"] == "cancel":
                self.canceled.add(message["id"])
            else:
                self.requests.put(message)
        # Whoever started this is gone.
        os._exit(1)


def main():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    job = json.loads(Path(sys.argv[1]).read_text("utf8"))
    torch.set_float32_matmul_precision("highest" if job.get("computeDtype", "float32") == "float32" else "high")
    open_with(job.get("exif", "apply"))
    inbox = Inbox()
    try:
        served = Served(job)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        send("failed", error=failure(job["model"], error))
        sys.exit(2)
    send("ready", models=served.names)
    while True:
        answer(served, inbox, inbox.requests.get())


def answer(served, inbox, message):
    name = message["id"]
    try:
        if name in inbox.canceled:
            raise Canceled
        # In the engine's own folder, which goes when this process does, however that ends.
        with tempfile.TemporaryDirectory(dir=Path(sys.argv[1]).parent) as folder:
            request = _with_files(message["request"], Path(folder))
            if message["type"] == "prompt":
                send("logprobs", id=name, result=served.prompt_logprobs(request))
                return
            on_token = lambda token: send("tokens", id=name, tokens=[token])
            send("end", id=name, end=served.generate(request, on_token, lambda: name in inbox.canceled))
    except Canceled:
        inbox.canceled.discard(name)
    except Exception as error:
        send("failed", id=name, error=failure(served.job["model"], error))


def _with_files(request, folder):
    """Images are opened in one place, which takes files."""
    turns, number = [], 0
    for turn in request["turns"]:
        content = []
        for part in turn["content"]:
            if part["type"] == "text":
                content.append({"text": part["text"]})
                continue
            file = folder / f"image-{number}"
            number += 1
            file.write_bytes(base64.b64decode(part["image"]))
            content.append({"image": str(file)})
        turns.append({"role": turn["role"], "content": content})
    return {**request, "turns": turns}


if __name__ == "__main__":
    main()
