"""
Which process keeps which part of the weights, by the config's `sharding`. Each way is a module that has:

- `SHARDED`: whether all processes must call the model as often as the others do.
- `placed(loaded, empty, device, trained)`: the `Scorer` on its device, this process's part of it where it is sharded.
  `loaded()` reads it from its files into main memory, `empty()` makes one without values; `trained` says whether a
  `Training` follows, or answers only.
- `elements(parameter)`: of a parameter, how many elements this process keeps, and of how many.
- `Training(scorer, parameters, optimization, states, step)`: AdamW over several processes, whose gradients are averaged, as an
  `Optimization` says. It resumes from a checkpoint's `states` after that many steps, where there are some.
  - `scorer`: what to call.
  - `part(last)`: a context to compute a part of a batch in; gradients go over the network with the last, where they can.
  - `backward(loss)`
  - `step(rate)`: returns the gradient's norm before it was scaled down, a tensor, where it may be, else none.
  - `states()`: name → parameter, first and second moment, whole and in main memory. All processes must call it.
"""

import importlib

from protocol import JobError

WAYS = {"none": "sharding_none", "fsdp": "sharding_fsdp", "deepspeed": "sharding_deepspeed"}


def sharding_of(name):
    try:
        return importlib.import_module(WAYS[name])
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise JobError(
            "sharding: deepspeed needs DeepSpeed, which this Python does not have: run `dataengine setup --deepspeed`, or "
            "install the packages of src/trainer/torch/requirements-deepspeed.txt where DATAENGINE_TORCH_PYTHON points"
        ) from error
