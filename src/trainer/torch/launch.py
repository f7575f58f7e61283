"""Starts the ranks of a job with torchrun: `python launch.py <processes> <none|fsdp|deepspeed> <job.json>`.

It follows the trainer protocol for all of them (see src/trainer/protocol.ts): when standard input closes the parent
is gone and everything ends; SIGTERM reaches every rank, and each may write a checkpoint first. A rank that dies ends the
others; the parent sees an exit without `done` and may start the job again, which resumes from the newest checkpoint.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun

# As shells say it.
KILLED = 128 + signal.SIGKILL


def end_with_parent():
    while os.read(0, 1):
        pass
    # The ranks end with this process: each arranged that with the kernel (rank.py).
    os._exit(1)


if __name__ == "__main__":
    processes, sharding, job = sys.argv[1:]
    threading.Thread(target=end_with_parent, daemon=True).start()
    rank = Path(__file__).with_name("rank.py")
    try:
        torchrun(["--standalone", f"--nproc-per-node={processes}", "--max-restarts=0", str(rank), sharding, job])
    except ChildFailedError as error:
        # The rank that failed said why; a stack of torchrun's own adds nothing. One that was killed could not.
        _, failure = error.get_first_failure()
        sys.exit(KILLED if failure.exitcode == -signal.SIGKILL else 1)
