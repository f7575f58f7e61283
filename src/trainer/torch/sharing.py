"""Work that is distributed over the processes piece by piece."""

import torch.distributed as dist

from protocol import Stopped, any_rank


class Progress:
    """Of several lists of pieces, one after another."""

    def __init__(self, reporter, device, steps, **named):
        """`named`: the phase, where it is not the main work."""
        self.reporter, self.device, self.steps, self.done, self.named = reporter, device, steps, 0, named

    def add(self, done):
        """All processes must call this alike. Raises Stopped when one was requested to stop."""
        self.done += done
        self.reporter.progress(self.done, self.steps, **self.named)
        if any_rank(self.reporter.stop_requested, self.device):
            raise Stopped


def with_companion(part, batch, sharded, shows):
    """
    A process's part of a batch, and behind it one more of the batch that is computed and discarded where it is needed: shards are
    gathered from all processes, so each must compute something, and all must look at images where one does. `shows`: whether one has
    an image.
    """
    with_image = next(filter(shows, batch), None) if sharded else None
    if with_image is not None and not any(map(shows, part)):
        return [*part, with_image]
    return part or batch[:1]


def distributed(pieces, work, progress, steps=lambda _piece: 1):
    """
    What comes of each piece, found by one of the processes and known to all. All make as many turns, for a sharded model is
    computed by all at once: a process that has no piece left computes the first one again, and discards it. What `work` computes with the
    model must be alike for all pieces. `steps`: how many of the progress a piece is.
    """
    rank, world = dist.get_rank(), dist.get_world_size()
    found = []
    for start in range(0, len(pieces), world):
        at = start + rank
        result = work(pieces[at if at < len(pieces) else 0])
        if at < len(pieces):
            found.append(result)
        progress.add(sum(map(steps, pieces[start : start + world])))
    gathered = [None] * world
    dist.all_gather_object(gathered, found)
    return [gathered[at % world][at // world] for at in range(len(pieces))]
