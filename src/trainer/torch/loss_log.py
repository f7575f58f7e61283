"""The loss curve of a finetune, for programs: loss.jsonl."""

import json
import os
import uuid


class LossLog:
    """
    loss.jsonl, which starts with the curve of the steps so far. It is a file of its own that takes the other's place, so that
    another attempt's trainer, of another host say, can't write into it.
    """

    def __init__(self, file, curve, rank):
        self.file, self.curve, self.stream = file, list(curve), None
        if rank != 0:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}.tmp")
        self.stream = open(temporary, "x", encoding="utf8")
        self.stream.write("".join(curve))
        self.flush()
        os.replace(temporary, file)

    def write(self, record):
        if self.stream:
            self.curve.append(f"{json.dumps(record)}\n")
            self.stream.write(self.curve[-1])
            self.stream.flush()

    def flush(self):
        if self.stream:
            self.stream.flush()
            os.fsync(self.stream.fileno())

    def close(self):
        """Raises RuntimeError when another trainer's log is there by now."""
        if self.stream:
            own = os.fstat(self.stream.fileno()).st_ino
            self.stream.close()
            if not self.file.exists() or self.file.stat().st_ino != own:
                raise RuntimeError(f"{self.file}: another attempt's trainer has started meanwhile")
