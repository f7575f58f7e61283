"""
What the trainer reads a model's samples and questions with. The families of src/datasets/prompt-format.ts are fed as our own
trainer feeds them; any other model by its own processor and chat template.
"""

from chat_family import ChatFamily
from own_family import FORMS, OwnFamily


def family_of(directory, config, device, dtype):
    """By config.json, as src/round/base-model.ts tells them apart."""
    text = getattr(config, "text_config", None)
    own = config.model_type in FORMS and getattr(text, "model_type", None) == "llama"
    return (OwnFamily if own else ChatFamily)(directory, config, device, dtype)
