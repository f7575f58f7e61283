"""
A server of chat completions that is transformers alone, with the files of a model directory: `transformers-server.py <directory>
[texts]` prints its port. With `texts` it gives no log-probabilities, as some servers. It ends with its standard input.
"""

import base64
import io
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor


class Chat:
    def __init__(self, directory, scores):
        self.processor = AutoProcessor.from_pretrained(directory)
        self.module = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32).eval()
        self.scores = scores

    @torch.no_grad()
    def complete(self, request):
        inputs = self.inputs(request)
        prompt = inputs["input_ids"][0].tolist()
        done = self.module.generate(
            **inputs, max_new_tokens=request["max_tokens"], output_logits=True, return_dict_in_generate=True, stop_strings=None
        )
        ids = done.sequences[0, len(prompt) :].tolist()
        ends = self.module.generation_config.eos_token_id
        ended = ids[-1:] and ids[-1] in (ends if isinstance(ends, list) else [ends])
        ids = ids[:-1] if ended else ids
        content = [self.token(ids, place, done.logits[place][0].log_softmax(-1)) for place in range(len(ids))]
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(one["token"] for one in content)},
            "finish_reason": "stop" if ended else "length",
            "logprobs": {"content": content} if self.scores and request.get("logprobs") else None,
        }
        answer = {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": len(prompt), "completion_tokens": len(ids)}}
        if self.scores and "prompt_logprobs" in request:
            logprobs = self.module(**inputs).logits[0].log_softmax(-1)
            answer["prompt_logprobs"] = [None] + [
                {str(one): {"logprob": logprobs[place, one].item(), "decoded_token": self.text([one])}} for place, one in enumerate(prompt[1:])
            ]
        return answer

    def inputs(self, request):
        generation = request.get("add_generation_prompt", True)
        return self.processor.apply_chat_template(
            [{"role": one["role"], "content": parts(one["content"])} for one in request["messages"]],
            add_generation_prompt=generation,
            continue_final_message=request.get("continue_final_message", False),
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )

    def token(self, ids, place, logprobs):
        def after(one):
            return self.text([*ids[:place], one])[len(self.text(ids[:place])) :]

        def scored(one):
            return {"token": after(one), "logprob": logprobs[one].item()}

        return {**scored(ids[place]), "top_logprobs": [scored(int(one)) for one in logprobs.topk(5).indices]}

    def text(self, ids):
        return self.processor.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def parts(content):
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [one if one["type"] == "text" else {"type": "image", "image": opened(one["image_url"]["url"])} for one in content]


def opened(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def main(directory, mode="scores"):
    chat = Chat(directory, mode == "scores")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.answer(chat.complete(json.loads(self.rfile.read(int(self.headers["content-length"])))))

        def do_GET(self):
            self.answer({"object": "list", "data": [{"id": "merged", "object": "model", "created": 0, "owned_by": "us"}]})

        def answer(self, content):
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
