"""
How a finetune job works: `count-finetune.py <job>` runs it in one process, and prints how often each image was opened, by whatever
process, how many images were encoded, which files were hashed, and in which order steps were started and what they left was read.
`waits`: operations of steps that would wait for a device.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
import built_in_family  # noqa: E402
import file_hashes  # noqa: E402
import finetune as jobs  # noqa: E402
import losses  # noqa: E402
import preparation  # noqa: E402
from models import bare_module  # noqa: E402
from protocol import Reporter  # noqa: E402
from shardings import sharding_of  # noqa: E402

WAITING = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "unique")

work = {"opened": {}, "preparers": 0, "encoded": 0, "hashed": [], "events": [], "waits": {}}
# Workers write to it too.
record = tempfile.TemporaryFile("a+", buffering=1)


class Waits(TorchDispatchMode):
    on = True

    def __torch_dispatch__(self, operation, _types, given=(), named=None):
        name = operation.overloadpacket.__name__
        if Waits.on and name.startswith(WAITING):
            work["waits"][name] = work["waits"].get(name, 0) + 1
        return operation(*given, **(named or {}))


def aside(function):
    """It looks at values of main memory, whatever the device."""

    def called(*given, **named):
        Waits.on = False
        try:
            return function(*given, **named)
        finally:
            Waits.on = True

    return called


def before(owner, name, note):
    usual = getattr(owner, name)

    def called(*given, **named):
        note(*given)
        return usual(*given, **named)

    setattr(owner, name, called)


def counted(function):
    def called(*given):
        with Waits():
            return function(*given)

    return called


class CountedModel(jobs.Model):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        bare = bare_module(self.module)
        vision = bare.vision_model if bare.config.model_type == "blip-2" else bare.model.vision_tower
        vision.register_forward_hook(aside(encoded), with_kwargs=True)


def encoded(_module, given, named, _output):
    pixels = given[0] if given else named["pixel_values"]
    work["encoded"] += int((pixels != 0).flatten(1).any(1).sum())


sharding = sharding_of("none")
before(built_in_family, "read_image", lambda file: record.write(f"{os.getpid()} {file}\n"))
before(file_hashes, "hash_of", lambda file: work["hashed"].append(file.name))
before(sharding.Training, "step", lambda *_: work["events"].append("step"))
before(losses.Reading, "values", lambda *_: work["events"].append("read"))
preparation.first_label = aside(preparation.first_label)
# Its counts of steps are in main memory.
torch.optim.AdamW.step = aside(torch.optim.AdamW.step)
jobs.step_loss, sharding.Training.step = counted(jobs.step_loss), counted(sharding.Training.step)
jobs.Model = CountedModel
os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "RANK": "0", "WORLD_SIZE": "1"}
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
reporter = Reporter(0)
reporter.send = lambda *_given, **_named: None
jobs.finetune(json.loads(Path(sys.argv[1]).read_text("utf8")), reporter, torch.device("cpu"), sharding)
record.seek(0)
lines = [line.split(" ", 1) for line in record.read().splitlines()]
for _, file in lines:
    work["opened"][file] = work["opened"].get(file, 0) + 1
work["preparers"] = len({pid for pid, _ in lines} - {str(os.getpid())})
print(json.dumps(work))
dist.destroy_process_group()
