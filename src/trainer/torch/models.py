"""Models and adapters, by transformers and PEFT, whole on each process or sharded over all of them."""

import inspect
import re
from contextlib import contextmanager

import torch
from huggingface_hub.errors import StrictDataclassError
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig, PreTrainedModel, masking_utils
from transformers.modeling_layers import GradientCheckpointingLayer

from built_in_family import BuiltInFamily
from chat_family import ChatFamily
from mllama import MllamaCrossAttentionDecoderLayer, MllamaFamily, mllama_features, without_other_images
from paligemma_family import PaliGemmaFamily
from protocol import JobError
from shardings import sharding_of
from stored_weights import kept_in, narrowed, widened_where_used
from trained_parts import saved_modules, target_modules

# These change the base model by data, gradients or random numbers that an adapter's files don't hold. (PiSSA and OLoRA
# change it too, but by its own weights alone: PEFT does that whenever it loads such an adapter.)
UNKNOWN_BASE = re.compile(r"corda|lora_ga|loftq|pissa_niter_\d+")

# Of those that need more than a processor and a chat template.
CHAT_FAMILIES = {"mllama": MllamaFamily, "paligemma": PaliGemmaFamily}

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def family_of(directory, config, device, family=None, image=None):
    """What makes a model's inputs; `family` and `image` are the job's."""
    if family:
        return BuiltInFamily(directory, config, device, family)
    return CHAT_FAMILIES.get(config.model_type, ChatFamily)(directory, config, device, image)


class Model:
    """A model directory: `family` makes its inputs, `scorer` computes; `module` is transformers' or PEFT's own."""

    def __init__(
        self,
        directory,
        device,
        family=None,
        weight_dtype="float32",
        compute_dtype="float32",
        adapt=None,
        sharding=None,
        image=None,
        wide=None,
        attention=None,
    ):
        """
        `family` and `image` are the job's; without a family the model has a chat template. `adapt` puts an adapter on. `wide` is
        that of `kept_in`, `attention` transformers' name of what computes it. Sharded, every process must make the model, and call it as
        often as the others.
        """
        self.device = device
        self.sharding = sharding or sharding_of("none")
        dtype = DTYPES[weight_dtype]
        # Tensor by tensor from the files to the device, in the dtype that each is kept in; what is sharded is distributed later.
        placed = {} if self.sharding.SHARDED else {"device_map": {"": device}}
        computed = {"attn_implementation": attention} if attention else {}

        def scorer(module):
            return Scorer(_adapted(without_other_images(widened_where_used(module)), adapt), compute_dtype)

        def loaded():
            with kept_in(dtype, compute_dtype, wide):
                module, info = AutoModelForImageTextToText.from_pretrained(
                    directory, dtype=torch.float32, output_loading_info=True, **placed, **computed, **changed
                )
            if info["missing_keys"]:
                # transformers makes up what the files lack.
                raise JobError(f"{directory}: {min(info['missing_keys'])}: is missing")
            if self.sharding.SHARDED and module.all_tied_weights_keys != module.get_expanded_tied_weights_keys(True):
                problem = "is true, but the weights hold a head of its own: set it to false to shard the model"
                raise JobError(f"{directory}/config.json: tie_word_embeddings: {problem}")
            return scorer(module)

        def empty():
            with torch.device("meta"):
                module = AutoModelForImageTextToText.from_config(config, dtype=torch.float32, **computed)
                return scorer(narrowed(module, dtype, compute_dtype))

        try:
            config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
            changed = {"config": _with_fields(config, image["model"])} if (image or {}).get("model") else {}
            self.family = family_of(directory, config, device, family, image)
            self.scorer = self.sharding.placed(loaded, empty, device, adapt is not None)
        except (OSError, ValueError, ImportError, StrictDataclassError) as error:
            raise JobError(f"{directory}: {error}") from error
        self.module = self.scorer.module

    @property
    def sharded(self):
        return self.sharding.SHARDED


class Scorer(torch.nn.Module):
    """Every way into the model leads through `forward`: that is where what shards a model gathers it."""

    def __init__(self, module, compute_dtype):
        super().__init__()
        self.module = module
        self.compute_dtype = compute_dtype
        self.cuts_logits = "logits_to_keep" in inspect.signature(bare_module(module).forward).parameters

    def forward(self, work, *given):
        """`work` is the name of one of the methods below; what is given to it must come in this order."""
        device = next(self.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.compute_dtype == "bfloat16"):
            return getattr(self, work)(*given)

    def scores(self, inputs, kept):
        """Logits of the last positions, `[batch, kept, vocabulary]`."""
        bare = bare_module(self.module)
        if "image_features" in inputs:
            inputs = self._with_features(**inputs)
        with _known_of_masks(find_packed_sequence_indices=None):
            if bare.config.model_type == "blip-2" and "pixel_values" not in inputs:
                # It takes no batch without images; the adapter's layers are in the language model itself.
                return bare.language_model(**inputs, use_cache=False, logits_to_keep=kept).logits
            cut = {"logits_to_keep": kept} if self.cuts_logits else {}
            return self.module(**inputs, use_cache=False, **cut).logits[:, -kept:]

    def started(self, inputs):
        """Of prompts that are padded on the left: logits of the last position, `[batch, vocabulary]`, and keys and values."""
        bare, module = bare_module(self.module), self.module
        is_blip2, shows = bare.config.model_type == "blip-2", "pixel_values" in inputs
        cut = {"logits_to_keep": 1} if self.cuts_logits or is_blip2 and not shows else {}
        output = (bare.language_model if is_blip2 and not shows else module)(
            **inputs, position_ids=_positions(inputs["attention_mask"]), use_cache=True, **cut
        )
        return output.logits[:, -1], (output.language_model_outputs if is_blip2 and shows else output).past_key_values

    def continued(self, ids, mask, cache):
        """Logits of tokens behind a cache, which takes them in, `[batch, tokens, vocabulary]`; `mask` is of both."""
        bare = bare_module(self.module)
        # BLIP-2 itself takes no batch without images.
        language = bare.language_model if bare.config.model_type == "blip-2" else bare
        positions = _positions(mask)[:, -ids.shape[1] :]
        return language(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True).logits

    def written(self, inputs, maximum, ends, pad, sharded):
        """Greedily: ids of prompt and answer. With a sharded model all processes compute until the last is done."""
        # What is left open here, `generate` takes from the model's generation_config.json.
        settings = GenerationConfig(
            max_new_tokens=maximum, do_sample=False, num_beams=1, num_return_sequences=1, eos_token_id=ends, pad_token_id=pad
        )
        return bare_module(self.module).generate(**inputs, generation_config=settings, synced_gpus=sharded)

    def image_features(self, inputs):
        """What the language model is given for the images, `[places, width]`."""
        bare = bare_module(self.module)
        if bare.config.model_type == "mllama":
            return mllama_features(bare, inputs)
        if not hasattr(bare, "get_image_features"):
            raise JobError(f"{type(bare).__name__} can't embed images: set sampling.embeddings.model to a CLIP directory")
        known = inspect.signature(bare.get_image_features).parameters
        features = bare.get_image_features(**{name: value for name, value in inputs.items() if name in known})
        features = getattr(features, "pooler_output", features)
        parts = features if isinstance(features, (list, tuple)) else [features]
        return torch.cat([part.reshape(-1, part.shape[-1]) for part in parts])

    def vision_features(self, pixels):
        """What the projection to the language model is given for images, `[images, places, width]`, of the built-in families."""
        bare, given = bare_module(self.module), []
        hook = _projection(bare).register_forward_pre_hook(lambda _module, values: given.append(values[0]))
        try:
            # An image is seen whole.
            with _known_of_masks(fast_all=True, _ignore_bidirectional_mask_sdpa=True):
                bare.get_image_features(pixel_values=pixels)
        finally:
            hook.remove()
        return given[0]

    def vision_width(self):
        return next(one for one in _projection(bare_module(self.module)).modules() if isinstance(one, torch.nn.Linear)).in_features

    def vision_is_frozen(self):
        """Whether nothing but the language model is trained."""
        return not any(value.requires_grad for value in self._beside_language_model())

    def uses_all(self):
        """Whether each batch uses all that is trained; of a vision side, and of Mllama's layers that see images, some do not."""
        sees = any(isinstance(one, MllamaCrossAttentionDecoderLayer) for one in self.modules())
        return not sees and self.vision_is_frozen()

    def _beside_language_model(self):
        bare = bare_module(self.module)
        language = [one for one in (bare.get_decoder(), bare.get_output_embeddings()) if one is not None]
        known = {id(value) for one in language for value in one.parameters()}
        return [value for value in self.module.parameters() if id(value) not in known]

    def _with_features(self, input_ids, image_features, **others):
        """As the models themselves put images between words."""
        bare = bare_module(self.module)
        known = bare.config.image_token_id
        places = input_ids == (bare.config.image_token_index if known is None else known)
        words = bare.get_input_embeddings()(input_ids)
        images = _projection(bare)(image_features).to(words.dtype)
        return {**others, "inputs_embeds": words.masked_scatter(places[..., None], images)}

    def blocks(self):
        """Decoder layers and vision blocks, as transformers names them."""
        parts = [one for one in self.modules() if isinstance(one, PreTrainedModel)]
        names = {name for part in parts for name in part._no_split_modules or ()}
        return [one for one in self.modules() if type(one).__name__ in names]


@contextmanager
def _known_of_masks(**answers):
    """
    What transformers would look at the device's values for, and wait: `find_packed_sequence_indices`, of a batch without a mask, whether
    several texts lie in a row; the others, whether a mask is of ones.
    """
    usual = {name: getattr(masking_utils, name) for name in answers}
    for name, answer in answers.items():
        setattr(masking_utils, name, lambda *_values, answer=answer: answer)
    try:
        yield
    finally:
        for name, function in usual.items():
            setattr(masking_utils, name, function)


def _positions(mask):
    return (mask.cumsum(1) - 1).clamp(min=0)


def _projection(bare):
    """What makes embeddings of the language model of what the vision side computes, of the built-in families."""
    return bare.language_projection if bare.config.model_type == "blip-2" else bare.model.multi_modal_projector


def first_label(labels):
    """The first position that has a label in any row. Of labels on a device it waits for that."""
    labelled = (labels != -100).any(0).nonzero()
    return int(labelled[0]) if len(labelled) else labels.shape[1] - 1


def token_losses(scorer, inputs, labels, first=None):
    """Losses and whether each counts, `[batch, positions]`, from the first position that has a label in any row."""
    first = first_label(labels) if first is None else first
    targets = labels[:, first:]
    scores = scorer("scores", inputs, targets.shape[1] + 1)[:, :-1].float()
    losses = torch.nn.functional.cross_entropy(scores.transpose(1, 2), targets, ignore_index=-100, reduction="none")
    return losses, targets != -100


def new_adapter(lora, seed, trainable=()):
    """LoRA adapters, and parts that are trained whole, with PEFT's initial values."""

    def adapt(module):
        torch.manual_seed(seed)
        config = LoraConfig(
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=target_modules(module, lora["targetModules"]),
            modules_to_save=saved_modules(module, trainable),
            use_rslora=lora.get("rslora") or False,
            use_dora=lora.get("dora") or False,
            task_type="CAUSAL_LM",
        )
        return get_peft_model(module, config)

    return adapt


def stored_adapter(directory, trainable=False):
    """An adapter of PEFT's format."""

    def adapt(module):
        init = PeftConfig.from_pretrained(directory).init_lora_weights
        if isinstance(init, str) and UNKNOWN_BASE.fullmatch(init):
            problem = f"'{init}' changed the base model's weights in training, which PEFT can't repeat"
            raise JobError(f"{directory}/adapter_config.json: init_lora_weights: {problem}. Use an adapter of plain LoRA")
        if not next(module.parameters()).is_meta:
            return PeftModel.from_pretrained(module, directory, is_trainable=trainable)
        config = PeftConfig.from_pretrained(directory)
        config.inference_mode = not trainable
        return get_peft_model(module, config)

    return adapt


def trainable_parameters(model):
    return {name: value for name, value in model.module.named_parameters() if value.requires_grad}


def megabytes(model):
    """Of weights that this process keeps, and of all."""
    sizes = [(model.sharding.elements(value), value.element_size()) for value in model.module.parameters()]
    return [sum(elements[at] * size for elements, size in sizes) / 1e6 for at in (0, 1)]


def start_training(model, dropout, activation_checkpointing):
    """
    Adapters drop out, nothing else: the Q-Former has a dropout of its own, but is frozen and stays in evaluation mode, as
    in the reference system.
    """
    for layer in model.module.modules():
        if isinstance(layer, LoraLayer):
            layer.lora_dropout.train(dropout > 0)
            # What DoRA goes by.
            layer.training = dropout > 0
    if not activation_checkpointing:
        return
    bare_module(model.module).activation_checkpointing_enable({"use_reentrant": False})
    for layer in model.module.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            # Layers recompute in training mode only; what is inside them stays as it is.
            layer.training = True


def bare_module(module):
    return module.get_base_model() if isinstance(module, PeftModel) else module


def _with_fields(config, fields):
    for name, value in fields.items():
        setattr(config, name, value)
    return config


def _adapted(module, adapt):
    module.eval().requires_grad_(False)
    if adapt:
        module = adapt(module)
    for value in module.parameters():
        if value.requires_grad:
            value.data = value.data.float()
    return module
