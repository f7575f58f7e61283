"""Which layers of a model get adapters, and which parts are trained whole, by the names that transformers gives them."""

import re

import torch

from protocol import JobError

# As src/config/lora-schema.ts.
PARTS = ("language", "vision", "projector")
PROJECTIONS = ("multi_modal_projector", "language_projection", "merger", "connector", "aligner")
VISION = re.compile(r"(vision\w*|visual|qformer|image_\w+|video_\w+)")


def part_of(name):
    """The part that a module or parameter belongs to, by its path."""
    path = name.split(".")
    if any(one in PROJECTIONS for one in path):
        return "projection" if "modules_to_save" in path else "projector"
    return "vision" if any(VISION.fullmatch(one) for one in path) else "language"


def target_modules(module, targets):
    """
    PEFT's `target_modules`: a pattern for names of the language model's layers, or by part of those that are named. Raises
    JobError for a part that has none of them.
    """
    language = _language_model(module)
    if isinstance(targets, list):
        names = "|".join(re.escape(target) for target in targets)
        pattern = rf"{language}.*\.({names})"
        if not any(re.fullmatch(pattern, name) for name, _ in module.named_modules()):
            raise JobError(f"finetune.lora.targetModules: the language model has none of {', '.join(targets)}")
        return pattern
    layers = [name for name, one in module.named_modules() if isinstance(one, torch.nn.Linear) and not _is_unread(module, name)]
    found = []
    for part in PARTS:
        known = [name for name in layers if part_of(name) == part and (part != "language" or re.match(language, name))]
        for target in targets.get(part) or []:
            named = [name for name in known if name == target or name.endswith(f".{target}")]
            if not named:
                have = ", ".join(sorted({name.rpartition(".")[2] for name in known})) or "none"
                raise JobError(
                    f"finetune.lora.targetModules.{part}: '{target}' is no linear layer of this model there. Use some of {have}"
                )
            found += named
    # A list would mean ends of names.
    return "|".join(name.replace(".", r"\.") for name in sorted(set(found)))


def saved_modules(module, trainable):
    """PEFT's `modules_to_save`. Raises JobError for a model whose projection is not known."""
    if "projection" not in (trainable or []):
        return None
    found = next((one for name, _ in module.named_modules() if (one := name.rpartition(".")[2]) in PROJECTIONS), None)
    if found is None:
        raise JobError(f"finetune.trainable: the projection of {type(module).__name__} is not known: leave projection out")
    return [found]


def _is_unread(module, name):
    """Whether it lies behind the vision layer whose features are taken (LLaVA): nothing is learned there."""
    config = module.config
    taken = getattr(config, "vision_feature_layer", None)
    layers = getattr(getattr(config, "vision_config", None), "num_hidden_layers", None)
    if part_of(name) != "vision" or not isinstance(taken, int) or layers is None:
        return False
    number = re.search(r"\.layers?\.(\d+)\.", name)
    return number is not None and int(number[1]) >= (taken if taken >= 0 else layers + 1 + taken)


def _language_model(module):
    """A pattern for the names of the language model's modules. Vision encoders have a q_proj too."""
    decoder = module.get_decoder()
    found = next((name for name, one in module.named_modules() if one is decoder and name), None)
    return ".*language_model" if found is None or "language_model" in found else re.escape(found)
