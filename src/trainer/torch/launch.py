"""Starts the ranks of a job: `python launch.py <processes> <none|fsdp|deepspeed> <job.json>`. One is started as it is, more by torchrun.

They follow the trainer protocol together (see src/trainer/protocol.ts): when standard input closes the parent
is gone and everything ends; SIGTERM reaches every rank, and each may write a checkpoint first. A rank that dies ends the
others; the parent sees an exit without `done` and may start the job again, which resumes from the newest checkpoint.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from parent import end_with_parent

# As shells say it.
KILLED = 128 + signal.SIGKILL
RANK = str(Path(__file__).with_name("rank.py"))
ALONE = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}


def start_alone(sharding, job):
    """Takes this process's place. torchrun would import PyTorch first, and then wait while the rank imports it again."""
    os.environ.pop("TORCHELASTIC_RUN_ID", None)
    os.execve(sys.executable, [sys.executable, RANK, sharding, job], {**os.environ, **ALONE})


def start_with_torchrun(processes, sharding, job):
    # The ranks end with this process: each arranged that with the kernel (rank.py).
    threading.Thread(target=end_with_parent, daemon=True).start()
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    try:
        torchrun(["--standalone", f"--nproc-per-node={processes}", "--max-restarts=0", RANK, sharding, job])
    except ChildFailedError as error:
        # The rank that failed said why; a stack of torchrun's own adds nothing. One that was killed could not.
        _, failure = error.get_first_failure()
        sys.exit(KILLED if failure.exitcode == -signal.SIGKILL else 1)


if __name__ == "__main__":
    processes, sharding, job = sys.argv[1:]
    start_alone(sharding, job) if processes == "1" else start_with_torchrun(processes, sharding, job)
