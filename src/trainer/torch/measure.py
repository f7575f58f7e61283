"""How many tokens samples have, as src/trainer/jobs/measure.ts counts them: by the processor alone, without weights."""

import json

from transformers import AutoConfig

from models import family_of
from protocol import JobError, read_lines, write_atomically


def measure(job, reporter, device, _sharding):
    try:
        config = AutoConfig.from_pretrained(job["model"], trust_remote_code=False)
        family = family_of(job["model"], config, device, job.get("family"), job.get("image"))
    except (OSError, ValueError, ImportError) as error:
        raise JobError(f"{job['model']}: {error}") from error
    samples = read_lines(job["samples"])
    lines = []
    for number, sample in enumerate(samples):
        lines.append(f"{json.dumps(_measured(sample, family, job))}\n")
        reporter.progress(number + 1, len(samples), phase="count tokens")
    write_atomically(job["output"], "".join(lines).encode())
    return [job["output"]], {"samples": len(samples)}


def _measured(sample, family, job):
    tokens = 0
    try:
        sequence = family.training(sample, job["maximumTokens"])
        tokens = family.length(sequence)
        limit = "maximumTokens" if sequence.cut else None
        whole = job.get("maximumSequence")
        # A processor may have to count again.
        if whole and tokens > whole:
            _, beyond = family.within(sequence, whole)
            limit = limit or ("maximumSequence" if beyond else None)
    except (JobError, ValueError) as error:
        # ValueError: what processors raise for images of shapes that they don't take.
        return {"tokens": tokens, "problem": str(error)}
    return {"tokens": tokens, **({"limit": limit} if limit else {})}
