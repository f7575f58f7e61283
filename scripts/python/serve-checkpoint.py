"""Serves the tensors of a PyTorch checkpoint (.pth, .bin) to its parent process.

Standard output: a line of JSON, {"tensors": [{"name", "dtype", "shape"}]} or {"error"}; then, for each line of
standard input, which names a tensor, that tensor's bytes, row-major, little-endian.

Only data is unpickled (weights_only=True): a checkpoint that would run code is rejected. The file is mapped into
memory where its format allows, so that one tensor at a time is held.
"""

import json
import sys

import torch

DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def load(path):
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, ValueError) as error:
        # Files of PyTorch before 1.6 can't be mapped.
        if "mmap" not in str(error):
            raise
        return torch.load(path, map_location="cpu", weights_only=True)


def tensors_of(checkpoint):
    """The state dict itself, or what training code keeps it under."""
    for key in ("model", "state_dict"):
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get(key), dict):
            checkpoint = checkpoint[key]
    return {name: value for name, value in checkpoint.items() if isinstance(value, torch.Tensor)}


def write(message):
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()


def main(path):
    try:
        tensors = tensors_of(load(path))
        header = [
            {"name": name, "dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape)}
            for name, tensor in tensors.items()
        ]
    except KeyError as error:
        return write({"error": f"holds tensors of {error}, which checkpoints of this model don't have"})
    except Exception as error:  # Whatever is wrong, the message names the file.
        return write({"error": f"PyTorch can't read it: {error}".split("\n")[0]})
    write({"tensors": header})
    for line in sys.stdin:
        tensor = tensors[line.rstrip("\n")].contiguous().reshape(-1)
        sys.stdout.buffer.write(memoryview(tensor.view(torch.uint8).numpy()))
        sys.stdout.buffer.flush()


main(sys.argv[1])
