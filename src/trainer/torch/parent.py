"""The process that started this one, which holds the other end of its standard input."""

import os


def end_with_parent():
    """Ends this process once that is gone."""
    while os.read(0, 1):
        pass
    os._exit(1)
