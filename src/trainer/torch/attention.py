"""What computes a model's attention, by the names of `finetune.attention`."""

from transformers.utils import is_flash_attn_2_available

from protocol import JobError

NAMES = {"sdpa": "sdpa", "flash": "flash_attention_2"}


def attention_of(job, device):
    """As transformers calls it; none where a job leaves it to transformers. Raises JobError where it can't be computed here."""
    asked = job.get("attention")
    if asked == "flash":
        problem = None
        if device.type != "cuda":
            problem = "needs a GPU"
        elif not is_flash_attn_2_available():
            problem = "needs the package flash-attn, which this Python does not have: install it there"
        if problem:
            raise JobError(f"finetune.attention: flash {problem}. Or set finetune.attention: sdpa")
    return NAMES.get(asked)
