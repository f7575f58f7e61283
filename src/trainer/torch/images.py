from PIL import Image, ImageOps

from protocol import JobError


def read_image(file):
    """Upright and in RGB."""
    try:
        with Image.open(file) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except OSError as error:
        raise JobError(f"{file}: is no image that can be read ({error})") from error
