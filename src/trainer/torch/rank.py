"""One process of a job; launch.py starts as many as there are."""

import ctypes
import json
import os
import signal
import sys
import threading
from pathlib import Path

import torch
import torch.distributed as dist

from embed import embed
from evaluate import evaluate
from finetune import finetune
from images import open_with
from measure import measure
from merge import merge
from parent import end_with_parent
from protocol import JobError, Reporter, Stopped
from shardings import sharding_of

PR_SET_PDEATHSIG = 1
JOBS = {"finetune": finetune, "merge": merge, "evaluate": evaluate, "embed": embed, "measure": measure}


def main():
    alone = not dist.is_torchelastic_launched()
    if alone:
        threading.Thread(target=end_with_parent, daemon=True).start()
    else:
        # torchrun gives each rank a session of its own, so that a signal to the trainer's group would not reach it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    job = json.loads(Path(sys.argv[2]).read_text("utf8"))
    reporter = Reporter(int(os.environ["RANK"]), job.get("fence"))
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
    # TensorFloat-32 where the GPU has it.
    torch.set_float32_matmul_precision("highest" if job.get("computeDtype", "float32") == "float32" else "high")
    # Alone, it looks for no others: no port is opened.
    others = {"store": dist.HashStore(), "rank": 0, "world_size": 1} if alone else {}
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", **others)
    reporter.send("started")
    open_with(job.get("exif", "apply"))
    if problem := ((job.get("family") or {}).get("specialIds") or {}).get("problem"):
        reporter.note(problem)
    try:
        if job["kind"] not in JOBS:
            raise JobError(f"{job['kind']} jobs are not supported by this trainer")
        if job["kind"] == "merge" and reporter.rank != 0:
            # One process does it.
            outcome = None
        else:
            outcome = JOBS[job["kind"]](job, reporter, device, sharding_of(sys.argv[1]))
        dist.barrier()
        if outcome:
            reporter.send("done", outputs=outcome[0], metrics=outcome[1])
    except Stopped:
        sys.exit(143)
    except JobError as error:
        reporter.fail("input", error)
        sys.exit(2)
    except (torch.OutOfMemoryError, MemoryError) as error:
        reporter.fail("memory", error)
        sys.exit(3)
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
