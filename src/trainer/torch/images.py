"""
Opens images as src/core/images/open-image.ts does, to the same bytes; see there for why. Nothing else here opens one.
"""

import os
import stat
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from protocol import JobError

# As in src/core/images/: what a file and an image may have.
MAXIMUM_BYTES = 256 * 1024 * 1024
MAXIMUM_PIXELS = 150_000_000

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "F", "I;16", "I;16L", "I;16B")
ORIENTATION = 0x0112
# Orientations that make a width of a height.
SIDEWAYS = (5, 6, 7, 8)

# The limit is `_opened`'s own, which is an error and not a warning.
Image.MAX_IMAGE_PIXELS = None


settings = {"exif": "apply"}


def images_of(question):
    """The files of the images that a question of an evaluate job shows, in their order."""
    return [question["image"], *question.get("laterImages", [])] if question.get("image") else []


def open_with(exif):
    """Has all images opened upright ("apply") or as they are stored ("ignore"): once a process, as its job says."""
    settings["exif"] = exif


def read_image(file):
    """In RGB and 8 bits, upright by its EXIF orientation unless that is ignored, transparency over white."""
    content = _content(file)
    try:
        return _opened(content, file)
    except JobError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise JobError(f"{file}: is cut short or not an image ({error})") from error


def read_images(files):
    """
    By file, those of a batch, which are in memory together; each is opened once. Raises MemoryError, which a smaller batch may avoid.
    """
    images = {file: read_image(file) for file in dict.fromkeys(files)}
    if len(images) > 1 and sum(image.width * image.height for image in images.values()) > 10 * MAXIMUM_PIXELS:
        raise MemoryError(f"the images of a batch, such as {next(iter(images))}, have more than {10 * MAXIMUM_PIXELS} pixels")
    return images


def image_size(file):
    """Width and height that `read_image` would give, without decoding."""
    content = _content(file)
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
        turned = settings["exif"] == "apply" and image.getexif().get(ORIENTATION, 1) in SIDEWAYS
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise JobError(f"{file}: is cut short or not an image ({error})") from error
    return (image.height, image.width) if turned else image.size


def _content(file):
    """Of a regular file: a pipe would block, a device never ends."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise JobError(f"{file}: is not a file that holds an image")
            if facts.st_size > MAXIMUM_BYTES:
                raise JobError(f"{file}: has {facts.st_size} bytes, more than the {MAXIMUM_BYTES} that an image may have")
            return stream.read()
    except FileNotFoundError as error:
        raise JobError(f"{file}: no such image") from error
    except OSError as error:
        raise JobError(f"{file}: can't be read ({error})") from error


def _opened(content, file):
    if content[:4] in (b"II+\0", b"MM\0+"):
        raise JobError(f"{file}: is cut short or not an image: it is no JPEG, PNG, GIF, WebP or TIFF")
    # From memory: Pillow maps a TIFF's file wrongly when it has an orientation.
    image = Image.open(BytesIO(content), formats=FORMATS)
    if image.width * image.height > MAXIMUM_PIXELS:
        pixels = image.width * image.height
        raise JobError(f"{file}: claims {pixels} pixels, more than the {MAXIMUM_PIXELS} that an image may have")
    colored = image.format == "PNG" and image.mode == "RGB" and content[24] == 16 and "transparency" in image.info
    if image.mode not in MODES or colored:
        raise JobError(f"{file}: has a color space or depth that no photograph has ({image.mode})")
    drawn = image.tile[0].extents if image.format == "GIF" and image.tile else None
    image.load()
    # Pillow would take an orientation from there too.
    for name in ("xmp", "XML:com.adobe.xmp", "Raw profile type exif"):
        image.info.pop(name, None)
    orientation = image.getexif().get(ORIENTATION, 1)
    image = _over_white(_in_8_bits(image), drawn)
    if settings["exif"] == "ignore" or orientation == 1:
        return image
    turned = Image.Exif()
    turned[ORIENTATION] = orientation
    image.info["exif"] = turned.tobytes()
    return ImageOps.exif_transpose(image)


def _in_8_bits(image):
    """Gray of 16 bits loses the lower ones; one value of it may stand for what is transparent."""
    if not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image)
    gray = Image.fromarray((values >> 8).astype(np.uint8))
    if "transparency" in image.info:
        gray.putalpha(Image.fromarray(np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)))
    return gray


def _over_white(image, drawn):
    """`drawn` is the part of the canvas that the first frame of an animation fills; the rest is black, or transparent."""
    size = image.size
    whole = drawn is None or drawn == (0, 0, *size)
    if whole and not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGBA", size, "white" if image.has_transparency_data else "black")
    layer = image.convert("RGBA")
    canvas.alpha_composite(layer if whole else layer.crop(drawn), (0, 0) if whole else drawn[:2])
    return canvas.convert("RGB")
