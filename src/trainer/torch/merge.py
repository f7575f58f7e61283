"""Merges an adapter into its base model, and checks the merged model against base and adapter on a few samples."""

import re
import shutil
from pathlib import Path

import torch
from peft import PeftConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import AutoModelForImageTextToText

from asking import write_asking_files
from merged_files import DTYPES, StoredModel, merge_files, plain_factors
from models import Model, bare_module, stored_adapter
from processors import write_image_fields
from protocol import JobError, read_lines, write_atomically

# As src/model/files/companion-files.ts.
OF_WEIGHTS = re.compile(
    r".*\.(safetensors|bin|pth?|ckpt|h5|msgpack|onnx|gguf|npz|npy|pkl|log|tmp)|.*\.index\.json|adapter_.*|(trainer_state|optimizer|scheduler)\b.*|\..*"
)
WRITTEN_ANEW = ("config.json", "generation_config.json")
OF_STEPS = ("manifest.json", "started.json", "job.json", "trainer.pid.json", "fits-in-memory.json")
TEMPLATES = "additional_chat_templates"


# Of values that are rounded once, by their type: as src/trainer/jobs/merge/rounding.ts.
UNIT_ROUNDOFF = {"F16": 2**-11, "BF16": 2**-8}
ALLOWED_ROUNDOFFS = 8


def merge(job, reporter, device, sharding):
    # What has to be sharded does not fit one device, and merging takes one process.
    device = torch.device("cpu") if sharding.SHARDED else device
    output, written = Path(job["output"]), Path(job["written"]) if "written" in job else None
    merging = _Merging(job, device)
    # One model in memory at a time.
    wanted = merging.answers_of_base(reporter)
    if written is None or not written.exists():
        reporter.require_fence()
        output.mkdir(parents=True, exist_ok=True)
        merging.write(output, reporter)
        if written:
            write_atomically(written, b"")
    reporter.progress(2, 3)
    found = merging.answers_of_merged(output)
    reporter.progress(3, 3)
    parity, allowed = _difference(wanted, found), merging.allowed(wanted)
    if not parity <= allowed:
        if written:
            written.unlink(missing_ok=True)
        raise JobError(f"{output}: differs from base + adapter by {parity:.2e} on the parity samples, more than {allowed:.2e}")
    names = sorted(str(file.relative_to(output)) for file in output.rglob("*") if file.is_file())
    return names, {"maximumDifference": parity}


class _Merging:
    """What is known of base and merged model while neither is in memory."""

    def __init__(self, job, device):
        self.job, self.device, self.dtype = job, device, job.get("dtype", "base")
        self.source, self.adapter = Path(job["model"]), Path(job["adapter"])
        self.stored = StoredModel(self.source)
        self.config_dtype = self.stored.main_dtype(self.dtype)
        self.wide = self._kept_wide()

    def answers_of_base(self, reporter):
        model = self._with_adapter(self._kept_as())
        bare = bare_module(model.module)
        self.family, self.config, self.generation = model.family, bare.config, bare.generation_config
        self.config.architectures = [type(bare).__name__]
        self.factors = plain_factors(model.module, self.adapter, self.stored)
        answers = _answers(model, self.job)
        reporter.progress(1, 3)
        return answers

    def answers_of_merged(self, output):
        return _answers(Model(output, self.device, self.job.get("family"), self._kept_as(), wide=self.wide), self.job)

    def allowed(self, wanted):
        """The most that a logit may differ by: the job's tolerance, and what rounding the merged weights can do."""
        formats = {DTYPES[self.config_dtype]}
        if self.factors and self.dtype == "base":
            formats = {self.stored.dtype_of(name) for name in self.factors}
        largest = max((one.abs().max().item() for one in wanted), default=0.0)
        roundoff = max(UNIT_ROUNDOFF.get(one, 0) for one in formats)
        return self.job["parity"]["tolerance"] + ALLOWED_ROUNDOFFS * roundoff * largest

    def write(self, output, reporter):
        if self.factors:
            merge_files(self.stored, self.factors, output, self.dtype, reporter.require_fence)
            _set_dtype(self.config, self.config_dtype)
            self.config.save_pretrained(output)
            self.generation.save_pretrained(output)
        else:
            # Anything but plain LoRA on linear layers: by PEFT, which has the whole model in memory.
            merged = self._with_adapter("float32").module.merge_and_unload()
            merged.to(getattr(torch, self.config_dtype)).save_pretrained(output)
            del merged
        reporter.require_fence()
        _copy_companions(self.source, output)
        write_asking_files(output, self.family, reporter.note)
        if image := self.job.get("image"):
            write_image_fields(output, image)

    def _with_adapter(self, dtype):
        job = self.job
        adapt = stored_adapter(self.adapter)
        return Model(self.source, self.device, job.get("family"), dtype, adapt=adapt, image=job.get("image"), wide=self.wide)

    def _kept_as(self):
        """Weights that both models round alike are kept as in the finetune, and those of bfloat16 as they are."""
        is_narrow = "bfloat16" in (self.job["parity"].get("weightDtype"), self.stored.main_dtype("base"), self.config_dtype)
        return "bfloat16" if is_narrow else "float32"

    def _kept_wide(self):
        """Names of adapted weights, in the model, that are not bfloat16 before and after: rounded, they would differ."""
        try:
            config = PeftConfig.from_pretrained(self.adapter)
            config.init_lora_weights, config.inference_mode = False, True
            with torch.device("meta"):
                module = get_peft_model(AutoModelForImageTextToText.from_config(self.stored.config), config)
        except (OSError, ValueError) as error:
            raise JobError(f"{self.adapter}: {error}") from error
        layers = [name for name, one in module.get_base_model().named_modules() if isinstance(one, BaseTunerLayer)]
        becomes_bfloat16 = self.dtype in ("base", "bfloat16")
        return {f"{name}.weight" for name in layers if not (becomes_bfloat16 and self.stored.dtype_of(f"{name}.weight") == "BF16")}


def _set_dtype(config, dtype):
    config.dtype = dtype
    for name in config.sub_configs:
        if getattr(config, name, None) is not None:
            _set_dtype(getattr(config, name), dtype)


def _copy_companions(model, output):
    """Tokenizer, processor, chat templates and license, by whatever names the model has them."""
    templates = (model / TEMPLATES).glob("*.jinja")
    files = [file for file in model.iterdir() if not OF_WEIGHTS.fullmatch(file.name) and file.name not in WRITTEN_ANEW + OF_STEPS]
    for file in filter(Path.is_file, [*files, *templates]):
        target = output / file.relative_to(model)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, target)


@torch.no_grad()
def _answers(model, job):
    """Logits of the answers' tokens."""
    scores = []
    for sample in read_lines(job["parity"]["samples"])[: job["parity"]["count"]]:
        sequence = model.family.training(sample, 4096)
        inputs, labels = model.family.collate([sequence])
        learned = (labels[0] != -100).nonzero()
        kept = labels.shape[1] - int(learned[0]) + 1 if len(learned) else 1
        scores.append(model.scorer("scores", inputs, kept)[0].float().cpu())
    return scores


def _difference(wanted, found):
    """The largest difference of any logit."""
    return max(((one - other).abs().max().item() for one, other in zip(wanted, found, strict=True)), default=0.0)
