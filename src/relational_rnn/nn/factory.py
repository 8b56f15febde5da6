"""Where a module's parameters are made: the device and the dtype, checked."""

from __future__ import annotations

from typing import TypedDict

import torch


class FactoryKwargs(TypedDict):
    """What torch's own layers and functions take beside sizes."""

    device: torch.device | str
    dtype: torch.dtype


def check_dtype(dtype: object, name: str = "dtype") -> torch.dtype:
    """Return the dtype of a module's parameters, torch's default for None.

    Raises:
        TypeError: it is no floating-point torch dtype.

    Example:
        >>> check_dtype(torch.float64)
        torch.float64
    """
    dtype = torch.get_default_dtype() if dtype is None else dtype
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"{name} must be a floating-point torch dtype, got {dtype!r}")
    return dtype


def make_factory_kwargs(device: torch.device | str | None, dtype: torch.dtype | None) -> FactoryKwargs:
    """Return device and dtype for the layers of a module, torch's defaults for None.

    Raises:
        TypeError: the dtype is no floating-point torch dtype.

    Example:
        >>> torch.empty(3, **make_factory_kwargs("cpu", torch.float64)).dtype
        torch.float64
    """
    device = torch.get_default_device() if device is None else device
    return {"device": device, "dtype": check_dtype(dtype)}
