"""Random parts of images, the same as src/model/images/random-crop.ts chooses; see there."""

import hashlib
import math
from itertools import count

SCALE = (0.5, 1.0)
RATIO = (3 / 4, 4 / 3)
ATTEMPTS = 10


def random_crop(image, seed):
    """The part of an image that is shown this time."""
    left, top, width, height = crop_box(image.width, image.height, seed)
    return image.crop((left, top, left + width, top + height))


def crop_of(seed, number):
    """The seed of one of a sample's images; none where images are shown whole."""
    return seed if seed is None or number == 0 else f"{seed}/{number}"


def crop_box(width, height, seed):
    """Left, top, width and height of the part."""
    numbers = _uniform(seed)

    def between(low, high):
        return low + (high - low) * next(numbers)

    for _ in range(ATTEMPTS):
        area = width * height * between(*SCALE)
        ratio = math.exp(between(math.log(RATIO[0]), math.log(RATIO[1])))
        w, h = _round(math.sqrt(area * ratio)), _round(math.sqrt(area / ratio))
        if not (1 <= w <= width and 1 <= h <= height):
            continue
        top = math.floor(next(numbers) * (height - h + 1))
        left = math.floor(next(numbers) * (width - w + 1))
        return left, top, w, h
    w, h = width, height
    if width / height < RATIO[0]:
        h = _round(width / RATIO[0])
    elif width / height > RATIO[1]:
        w = _round(height * RATIO[1])
    return (width - w) // 2, (height - h) // 2, w, h


def _uniform(seed):
    for number in count():
        digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
        yield int.from_bytes(digest[:6], "big") / 2**48


def _round(value):
    return math.floor(value + 0.5)
