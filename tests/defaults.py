"""torch's defaults for new tensors, changed for a while."""

from contextlib import contextmanager

import torch

DEFAULTS = {
    "float64": (torch.float64, "cpu"),
    "float16": (torch.float16, "cpu"),
    "bfloat16": (torch.bfloat16, "cpu"),
    "meta": (torch.float32, "meta"),
    "float16 and meta": (torch.float16, "meta"),
}
"""What it is -> default dtype, and default device."""


@contextmanager
def torch_defaults(dtype, device):
    """Make new tensors of another dtype, and on another device, where their maker says nothing."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        if device == "cpu":
            yield
        else:
            with torch.device(device):
                yield
    finally:
        torch.set_default_dtype(before)
