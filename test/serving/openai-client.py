"""What the official client of OpenAI for Python makes of the server, as JSON."""

import json
import sys

from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI

address, key, image = sys.argv[1:]
client = OpenAI(base_url=f"{address}v1", api_key=key, max_retries=0)


def user(content):
    return {"model": "base", "messages": [{"role": "user", "content": content}], "temperature": 0}


def refused(kind, ask):
    try:
        ask()
    except kind as error:
        return {"status": error.status_code, "param": error.param, "code": error.code}
    return None


create = client.chat.completions.create
whole = create(**user("How many?"), logprobs=True, top_logprobs=2, n=2, stop=[" with"])
shown = create(
    **user([{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": "What?"}]), max_tokens=50
)
pieces = list(create(**user("How many?"), stream=True, stream_options={"include_usage": True}))
scored = create(
    model="base",
    messages=[{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "a cat"}],
    max_tokens=1,
    extra_body={"prompt_logprobs": 0, "add_generation_prompt": False},
)
print(
    json.dumps(
        {
            "models": [model.id for model in client.models.list()],
            "texts": [choice.message.content for choice in whole.choices],
            "finish": whole.choices[0].finish_reason,
            "usage": whole.usage.to_dict(),
            "logprob": whole.choices[0].logprobs.content[1].logprob,
            "alternatives": [top.token for top in whole.choices[0].logprobs.content[1].top_logprobs],
            "shown": shown.choices[0].message.content,
            "streamed": "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices),
            "streamedUsage": pieces[-1].usage.to_dict(),
            "scores": len(scored.model_extra["prompt_logprobs"]),
            "badRequest": refused(BadRequestError, lambda: create(**user("a"), presence_penalty=1)),
            "notFound": refused(NotFoundError, lambda: create(**{**user("a"), "model": "other"})),
            "wrongKey": refused(AuthenticationError, lambda: client.with_options(api_key="other").models.list()),
        }
    )
)
