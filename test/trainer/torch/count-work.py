"""
How much an evaluate job computes: `count-work.py <job>` runs it in one process, and prints how often an image was opened and
encoded, and how many positions each pass through the language model had, by row.
"""

import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).parents[3] / "src/trainer/torch"))
import built_in_family  # noqa: E402
import evaluate as jobs  # noqa: E402
from models import bare_module  # noqa: E402
from protocol import Reporter  # noqa: E402
from shardings import sharding_of  # noqa: E402

work = {"opened": 0, "encoded": 0, "passes": []}


def opened(file, read=built_in_family.read_image):
    work["opened"] += 1
    return read(file)


class CountedModel(jobs.Model):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        bare = bare_module(self.module)
        vision = bare.vision_model if bare.config.model_type == "blip-2" else bare.model.vision_tower
        vision.register_forward_hook(self._encoded, with_kwargs=True)
        bare.get_output_embeddings()
        decoder = bare.get_decoder()
        layer = next(module for name, module in decoder.named_modules() if name.endswith("layers.0"))
        layer.register_forward_pre_hook(self._passed, with_kwargs=True)

    def _encoded(self, _module, given, named, _output):
        work["encoded"] += len(given[0] if given else named["pixel_values"])

    def _passed(self, _module, given, named):
        hidden = given[0] if given else named["hidden_states"]
        work["passes"].append(list(hidden.shape[:2]))


built_in_family.read_image = opened
jobs.Model = CountedModel
os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "RANK": "0", "WORLD_SIZE": "1"}
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
job = json.loads(Path(sys.argv[1]).read_text("utf8"))
reporter = Reporter(0)
reporter.send = lambda *_given, **_named: None
jobs.evaluate(job, reporter, torch.device("cpu"), sharding_of("none"))
print(json.dumps(work))
dist.destroy_process_group()
