"""
Merges a plain LoRA adapter in the files of its base model, tensor by tensor: sums are computed in float32 and rounded once to the
type that a tensor has, or is to have. Files in which nothing changes are linked.
"""

import errno
import json
import os
import re
import shutil
from math import prod

import torch
from huggingface_hub.errors import StrictDataclassError
from peft.tuners.lora import Linear
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from protocol import JobError

FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
NAMES = {stored: name for name, stored in DTYPES.items()}
SIZES = {**{stored: dtype.itemsize for stored, dtype in FLOATS.items()}, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
# Those that leave the base model as it is, as in src/model/files/adapter-config.ts.
KEEPS_BASE = (True, False, None, "gaussian", "eva", "orthogonal", "mica")
WITHOUT_LINKS = (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
INDEX = "model.safetensors.index.json"
FACTOR = re.compile(r".+\.lora_[AB]\.weight")


class StoredModel:
    """
    The safetensors files of a model's directory: `tensors` has dtype and shape by file and name, `places` the file and the name
    there of each weight by its name in the model. `usable` where they are all there, in number formats that are known here.
    """

    def __init__(self, directory):
        single, index = directory / "model.safetensors", directory / INDEX
        try:
            self.config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
            self.index = None if single.exists() or not index.exists() else json.loads(index.read_text("utf8"))
            names = set(self.index["weight_map"].values()) if self.index else {single.name}
            self.files = sorted(directory / name for name in names)
            self.tensors = {file: _described(file) for file in self.files if file.exists()}
            self.places = _places(self.config, self.tensors)
        except (OSError, ValueError, KeyError, SafetensorError, StrictDataclassError) as error:
            raise JobError(f"{directory}: {error}") from error
        known = all(dtype in SIZES for file in self.tensors.values() for dtype, _ in file.values())
        beside = all(file.parent == directory for file in self.files)
        self.usable = known and beside and len(self.tensors) == len(self.files)

    def dtype_of(self, name):
        """Of a weight by its name in the model; none for one that is not in these files as it is."""
        file, stored = self.places.get(name, (None, None))
        return self.tensors[file][stored][0] if file else None

    def main_dtype(self, dtype):
        """What most of the bytes of the merged model are in: the type that its config names."""
        totals = {}
        for file in self.tensors.values():
            for stored, shape in file.values():
                if stored in FLOATS:
                    written = _written(stored, dtype)
                    totals[written] = totals.get(written, 0) + _bytes(written, shape)
        named = str(self.config.dtype).removeprefix("torch.") if dtype == "base" else dtype
        return NAMES.get(max(totals, key=totals.get) if totals else DTYPES.get(named), "float32")


def plain_factors(module, adapter, stored):
    """
    By the name of a weight: B, A and scaling, on the CPU in float32, of a `PeftModel`. None for an adapter that is anything else
    than such pairs on linear layers, and for a weight that is not in the files as it is: PEFT has to merge them.
    """
    if not stored.usable:
        return None
    if module.peft_config["default"].init_lora_weights not in KEEPS_BASE:
        return None
    factors, layers = {}, 0
    base = module.get_base_model()
    tied = {name for pair in (base.all_tied_weights_keys or {}).items() for name in pair}
    for name, layer in base.named_modules():
        if not isinstance(layer, BaseTunerLayer):
            continue
        weight = f"{name}.weight"
        if type(layer) is not Linear or layer.lora_variant or layer.fan_in_fan_out or weight in tied or weight not in stored.places:
            return None
        layers += 1
        b, a = (one["default"].weight.detach().float().cpu() for one in (layer.lora_B, layer.lora_A))
        # Zero where the adapter's file leaves a layer out that its config names.
        if b.any():
            factors[weight] = (b, a, layer.scaling["default"])
    file = adapter / "adapter_model.safetensors"
    if not file.exists():
        return None
    with safe_open(file, framework="pt") as stored:
        names = list(stored.keys())
    return factors if len(names) <= 2 * layers and all(map(FACTOR.fullmatch, names)) else None


def merge_files(stored, factors, output, dtype, before_each):
    """Writes the weights of `stored` with `factors` added, as `dtype` or, for `base`, as each is. `before_each` is called for each tensor."""
    by_place = {stored.places[name]: pair for name, pair in factors.items()}
    total = 0
    for file in stored.files:
        tensors = stored.tensors[file]
        written = {name: (_written(one, dtype), shape) for name, (one, shape) in tensors.items()}
        total += sum(_bytes(one, shape) for one, shape in written.values())
        if written == tensors and not any((file, name) in by_place for name in tensors):
            _link(file, output / file.name)
            continue
        with safe_open(file, framework="pt") as source:

            def values(name):
                before_each()
                tensor = source.get_tensor(name)
                pair = by_place.get((file, name))
                if pair is not None:
                    b, a, scaling = pair
                    tensor = tensor.float() + (b @ a) * scaling
                return tensor.to(FLOATS.get(written[name][0], tensor.dtype))

            _write(output / file.name, written, values, source.metadata() or {"format": "pt"})
    if stored.index:
        index = {**stored.index, "metadata": {**stored.index.get("metadata", {}), "total_size": total}}
        (output / INDEX).write_text(f"{json.dumps(index, indent=2, sort_keys=True)}\n", "utf8")


def _described(file):
    with safe_open(file, framework="pt") as source:
        slices = {name: source.get_slice(name) for name in source.keys()}
        return {name: (one.get_dtype(), one.get_shape()) for name, one in slices.items()}


def _places(config, tensors):
    """As transformers finds a model's weights in its files, but for those that it makes of several tensors."""
    with torch.device("meta"):
        module = AutoModelForImageTextToText.from_config(config)
    state = module.state_dict()
    transforms = get_model_conversion_mapping(module)
    renamings = [one for one in transforms if isinstance(one, WeightRenaming)]
    converters = [one for one in transforms if isinstance(one, WeightConverter)]
    places = {}
    for file, names in tensors.items():
        for name in names:
            found, pattern = rename_source_key(name, renamings, converters, module.base_model_prefix, state)
            if found not in state and name in state:
                found, pattern = name, None
            if pattern is None:
                places[found] = (file, name)
    return places


def _written(stored, dtype):
    """Numbers that are no floats stay as they are."""
    return stored if dtype == "base" or stored not in FLOATS else DTYPES[dtype]


def _bytes(dtype, shape):
    return prod(shape) * SIZES[dtype]


def _write(file, tensors, values, metadata):
    """A safetensors file, one tensor in memory at a time. Wider numbers come first: each is where its type may be."""
    tensors = dict(sorted(tensors.items(), key=lambda one: -SIZES[one[1][0]]))
    header, offset = {"__metadata__": metadata}, 0
    for name, (dtype, shape) in tensors.items():
        size = _bytes(dtype, shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    temporary = file.with_name(f"{file.name}.tmp")
    with open(temporary, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name in tensors:
            stream.write(values(name).contiguous().reshape(-1).view(torch.uint8).numpy().data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, file)


def _link(file, target):
    """The file that a symbolic link leads to, as in the cache of the Hub. Weights are never changed, but replaced as a whole."""
    target.unlink(missing_ok=True)
    try:
        os.link(file.resolve(), target)
    except OSError as error:
        if error.errno not in WITHOUT_LINKS:
            raise
        shutil.copyfile(file, target)
