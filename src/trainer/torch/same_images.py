"""
Image processors of transformers that prepare an image once where it stands beside each choice of a question: what they make of it is
repeated.
"""

import numpy as np
import torch
from PIL import Image

from random_crop import random_crop

# Of an image's `info`, which copies of it have too: what it shows. Images without it are taken for different ones.
SHOWS = "dataengine shows"


def shown_part(image, file, crop):
    """The image, or a random part in its size: how many tokens an image takes may depend on that."""
    shown = random_crop(image, crop).resize(image.size, Image.Resampling.BICUBIC) if crop else image
    shown.info[SHOWS] = (file, crop)
    return shown


def preparing_once(processor):
    """The image processor, which does so from now on."""
    own = type(processor)

    class Once(own):
        # What was given last, and what came of it.
        last = None

        def __call__(self, images, *given, **named):
            length, times = _repeated(images)
            if length is None:
                return super().__call__(images, *given, **named)
            key = [[_shown(one) for one in images[:length]], given, named]
            last = Once.last
            if last is None or last[0] != key:
                last = key, super().__call__(images[:length], *given, **named)
                # Of a batch of different images nothing is kept.
                Once.last = None if times == 1 < length else last
            made = type(last[1])()
            made.update({name: _times(value, times) for name, value in last[1].items()})
            return made

    # By which transformers knows it.
    Once.__name__, Once.__qualname__, Once.__module__ = own.__name__, own.__qualname__, own.__module__
    processor.__class__ = Once
    return processor


def _repeated(images):
    """How many images, or samples' lists of them, come again and again, and how often; none where not all is known of them."""
    if not isinstance(images, (list, tuple)) or not images:
        return None, 0
    shown = [_shown(one) for one in images]
    if any(one is None for one in shown):
        return None, 0
    count = len(shown)
    length = next(some for some in range(1, count + 1) if count % some == 0 and shown[some:] == shown[: count - some])
    return length, count // length


def _shown(images):
    if isinstance(images, (list, tuple)):
        shown = tuple(_shown(one) for one in images)
        return None if None in shown else shown
    return getattr(images, "info", {}).get(SHOWS)


def _times(values, times):
    """Rows of a batch, so often; a copy, since processors may change what they were given."""
    if isinstance(values, torch.Tensor):
        return torch.cat([values] * times) if values.dim() else values
    if isinstance(values, np.ndarray):
        return np.concatenate([values] * times) if values.ndim else values
    return [*values] * times if isinstance(values, (list, tuple)) else values
