from PIL import Image, ImageOps

from protocol import JobError


def read_picture(file):
    """Upright and in RGB."""
    try:
        with Image.open(file) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except OSError as error:
        raise JobError(f"{file}: is no picture that can be read ({error})") from error
