"""Factors: which settings of a run can be varied, and the settings that each combination of values gives."""

from __future__ import annotations

import dataclasses
import itertools
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from relational_rnn.training.common.core_settings import FREE
from relational_rnn.training.common.nth_farthest import NthFarthestSettings

SLOT_SIZE: Final = "slot_size"
"""A factor that is no setting: the features of a memory slot, `head_size * num_heads`."""

NO_FACTORS: Final = ("models", "framework", "seed", "seeds", *FREE)
"""Settings that are not varied: a run has one framework, and all its variants the same models and seeds."""

BASE: Final = "base"
"""Names the variant in which nothing is changed."""

Value = bool | int | float | str | None
S = TypeVar("S")


@dataclass(frozen=True)
class Range:
    """The numbers between two, for a search."""

    low: float
    high: float
    log: bool = False
    """Whether equal factors, not equal differences, are equally likely."""
    step: float | None = None
    """The distance of neighbouring values; None for all numbers, of integers for all integers."""


class Variant(NamedTuple):
    """A base with some factors set."""

    name: str
    """Names its folder."""
    values: dict[str, Value]
    settings: Any


def kinds_of(settings: Any) -> dict[str, tuple[type, bool]]:
    """Return the factors of a task: name -> type of a value, and whether it may be None.

    What a model can have for itself is a factor of its own, MODEL.SETTING.

    Args:
        settings: of a run; where they hold the sizes of the task apart, in `task`, these are factors too.

    Example:
        >>> from relational_rnn.training.common.nth_farthest import NthFarthestSettings
        >>> kinds_of(NthFarthestSettings())["lstm_hidden_size"]
        (<class 'int'>, True)
    """
    found: dict[str, tuple[type, bool]] = {SLOT_SIZE: (int, False)}
    for holder in (settings, *([settings.task] if _holds_task(settings) else [])):
        hints = get_type_hints(type(holder))
        for field in dataclasses.fields(holder):
            hint = hints[field.name]
            choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
            kinds = [choice for choice in choices if choice in (bool, int, float, str)]
            if field.name not in NO_FACTORS and len(kinds) == 1:
                found[field.name] = (kinds[0], type(None) in choices)
    if isinstance(settings, NthFarthestSettings):
        found |= {name: (kind, False) for name, kind in settings.own_kinds().items()}
    return found


def value_of(settings: Any, factor: str) -> Any:
    """Return what a factor is in some settings."""
    if factor == SLOT_SIZE:
        return int(settings.head_size * settings.num_heads)
    if is_own(factor):
        return settings.own_value(factor)
    holder = settings if hasattr(settings, factor) else settings.task
    return getattr(holder, factor)


def is_own(factor: str) -> bool:
    """Return whether a factor is what one model has for itself, MODEL.SETTING."""
    return "." in factor


def with_values(settings: S, values: Mapping[str, Value]) -> S:
    """Return settings with some factors set.

    A core with more heads is no wider: `num_heads` keeps the slot size, and `head_size` follows, unless it is
    set too. `slot_size` sets `head_size` at whatever `num_heads` is. MODEL.SETTING becomes the model's own.

    Raises:
        TypeError: a value of the wrong type.
        ValueError: a value out of range, both `slot_size` and `head_size`, or a slot size that the heads do
            not divide.

    Example:
        >>> from relational_rnn.training.common.nth_farthest import NthFarthestSettings
        >>> changed = with_values(NthFarthestSettings(head_size=16, num_heads=4), {"num_heads": 8})
        >>> changed.num_heads, changed.head_size
        (8, 8)
    """
    changed: dict[str, Any] = {name: value for name, value in values.items() if not is_own(name)}
    if SLOT_SIZE in changed and "head_size" in changed:
        raise ValueError("slot_size and head_size say the same of a core; vary one of them")
    heads = changed.get("num_heads", value_of(settings, "num_heads"))
    size = changed.pop(SLOT_SIZE, None if "head_size" in changed else value_of(settings, SLOT_SIZE))
    if size is not None and heads >= 1:  # else the settings say what is wrong
        if size < 1 or size % heads:
            raise ValueError(
                f"slot_size must be a multiple of num_heads, got slot_size={size} with num_heads={heads}"
            )
        changed["head_size"] = size // heads
    sizes = {name: changed.pop(name) for name in [*changed] if not hasattr(settings, name)}
    if sizes:
        changed["task"] = dataclasses.replace(getattr(settings, "task"), **sizes)  # noqa: B009
    replaced: Any = dataclasses.replace(settings, **changed)  # type: ignore[type-var]
    own = {name: value for name, value in values.items() if is_own(name)}
    found: S = replaced.with_own(own) if own else replaced
    return found


def one_at_a_time(settings: Any, factors: Mapping[str, Sequence[Value]]) -> list[Variant]:
    """Return the base, then for each factor every value that differs from the base's.

    Raises:
        TypeError, ValueError: a value that the settings do not take.

    Example:
        >>> from relational_rnn.training.common.nth_farthest import NthFarthestSettings
        >>> found = one_at_a_time(NthFarthestSettings(), {"num_heads": (2, 4), "use_mlp": (True, False)})
        >>> [variant.name for variant in found]
        ['base', 'num_heads=2', 'use_mlp=false']
    """
    changes: list[dict[str, Value]] = [{name: value} for name, values in factors.items() for value in values]
    variants = [variant(settings, change) for change in changes]
    base = Variant(BASE, {}, settings)
    return [base, *(found for found in variants if found.settings != settings)]


def product(settings: Any, factors: Mapping[str, Sequence[Value]]) -> list[Variant]:
    """Return every combination of the factors' values, the last factor changing first.

    Raises:
        TypeError, ValueError: a value that the settings do not take.
    """
    return [variant(settings, dict(zip(factors, values))) for values in itertools.product(*factors.values())]


def variant(settings: Any, values: dict[str, Value]) -> Variant:
    """Return the variant of a base with these values; an error begins with its name."""
    name = ",".join(f"{factor}={text_of(value)}" for factor, value in values.items())
    try:
        return Variant(name, values, with_values(settings, values))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def text_of(value: Value) -> str:
    """Return a value as people type it.

    Example:
        >>> text_of(True), text_of(None), text_of(0.001)
        ('true', 'none', '0.001')
    """
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _holds_task(settings: Any) -> bool:
    return any(field.name == "task" for field in dataclasses.fields(settings))
