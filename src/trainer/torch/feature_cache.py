"""
What the frozen vision side computed of images, kept from epoch to epoch: each image is then decoded and encoded once. It is what the
projection to the language model is given, which is smaller than what that makes of it.
"""

import torch

from built_in_family import BuiltInFamily

# Of main memory, for each process.
GIGABYTES = 4
FLOAT_BYTES = 4


def feature_cache(model, job, samples_at_once):
    """None where images are changed each time, where the vision side is trained too, and for weights that are sharded."""
    gigabytes = job.get("imageCacheGigabytes", GIGABYTES)
    # Sharded, all processes must encode images at once, and each has others left.
    if model.sharded or job.get("augmentation") == "random-resized-crop" or not isinstance(model.family, BuiltInFamily):
        return None
    if gigabytes == 0 or not model.scorer.vision_is_frozen():
        return None
    size = model.family.image_tokens * model.scorer.vision_width() * FLOAT_BYTES
    # What a GPU copies from is allocated in powers of two.
    size = size if model.device.type == "cpu" else 1 << (size - 1).bit_length()
    return FeatureCache(model, int(gigabytes * 1e9 // size), samples_at_once)


class FeatureCache:
    """The first `most` images that are shown stay: where all are shown in each epoch, keeping those of late would keep none."""

    def __init__(self, model, most, images_at_once):
        self.scorer, self.device, self.most, self.images_at_once = model.scorer, model.device, most, images_at_once
        # Files that are kept, or will be once their part is computed.
        self.chosen, self.kept = set(), {}

    def missing(self, part):
        """Files of a part's images that are to be encoded, each once. Parts must come in the order in which they are computed."""
        files = [file for file in dict.fromkeys(_shown(part)) if file not in self.chosen]
        self.chosen.update(files[: max(0, self.most - len(self.chosen))])
        return files

    @torch.no_grad()
    def of(self, part, files, pixels):
        """Rows of a part's images in their order, `[images, places, width]`; `pixels` are those of `files`, if there are any."""
        encoded = dict(zip(files, self._encoded(pixels), strict=True)) if files else {}
        for file, rows in encoded.items():
            if file in self.chosen:
                # Its copy is made behind the work that is under way, as all that is done with it later.
                self.kept[file] = rows.to("cpu", non_blocking=True, copy=True)
        return torch.stack(
            [encoded[file] if file in encoded else self.kept[file].to(self.device, non_blocking=True) for file in _shown(part)]
        )

    def _encoded(self, pixels):
        """As many images at once each time, so that what comes of one does not depend on which are there already."""
        rows = []
        for start in range(0, len(pixels), self.images_at_once):
            some = pixels[start : start + self.images_at_once]
            filled = torch.cat([some, some.new_zeros(self.images_at_once - len(some), *some.shape[1:])])
            rows += self.scorer("vision_features", filled)[: len(some)]
        return rows


def _shown(part):
    return [file for sequence in part for file, _ in sequence.images]
