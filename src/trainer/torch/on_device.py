"""Values that go to the device and come back without holding up the process that has more work for it."""

import torch


def on_device(tensor, device):
    """A tensor of main memory on the device; its copy is made when what was started before is done."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class Reading:
    """The values that a tensor has now. They are copied at once; only who asks for them waits, and for nothing started since."""

    def __init__(self, tensor):
        self.host, self.copied = tensor.detach().to("cpu", non_blocking=True, copy=True), None
        if tensor.is_cuda:
            self.copied = torch.cuda.Event()
            self.copied.record()

    def values(self):
        if self.copied:
            self.copied.synchronize()
        return self.host.tolist()
