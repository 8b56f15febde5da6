"""Factors: which settings of a run can be varied, and the settings that each combination of values gives."""

from __future__ import annotations

import dataclasses
import itertools
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from relational_rnn.tasks import entry_of
from relational_rnn.training import config as run_config
from relational_rnn.training.config import FREE, RunConfig, parts_of
from relational_rnn.training.config_parts import OF_TOKENS
from relational_rnn.training.models import LEADER
from relational_rnn.training.variants import Value, text_of

SLOT_SIZE: Final = "slot_size"
"""A factor that is no setting: the features of a memory slot, `head_size * num_heads`."""

START: Final = "start"
"""A factor whose values are texts, objects=3+dimensions=2: what of a task grows, and where it starts."""

NO_FACTORS: Final = ("models", "overrides", "framework", "seed", "seeds", *FREE)
"""Settings that are not varied: a run has one framework, and all its variants the same models and seeds."""

BASE: Final = "base"
"""Names the variant in which nothing is changed."""

T = TypeVar("T")


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
    config: RunConfig


def kinds_of(config: RunConfig) -> dict[str, tuple[type, bool]]:
    """Return the factors of a run: name -> type of a value, and whether it may be None.

    What a model can have otherwise than the run is a factor too, MODEL.SETTING.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> kinds_of(RunConfig(task=Sorting()))["train_examples"]
        (<class 'int'>, True)
    """
    found: dict[str, tuple[type, bool]] = {SLOT_SIZE: (int, False), START: (str, False)}
    left_out = NO_FACTORS if entry_of(config.task).tokens else (*NO_FACTORS, *OF_TOKENS)
    for _, part in parts_of(config):
        hints = get_type_hints(type(part))
        for field in dataclasses.fields(part):
            hint = hints[field.name]
            choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
            kinds = [choice for choice in choices if choice in (bool, int, float, str)]
            if field.name not in left_out and len(kinds) == 1:
                found[field.name] = (kinds[0], type(None) in choices)
    for model in config.model.models:
        found |= {f"{model}.{name}": (kind, False) for name, kind in config.settings_of(model).items()}
    return found


def value_of(config: RunConfig, factor: str) -> Any:
    """Return what a factor is in a run.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> config = RunConfig(task=Sorting())
        >>> value_of(config, "slot_size"), value_of(config, "lstm.steps")
        (64, 2000)
    """
    if factor == SLOT_SIZE:
        return config.model.head_size * config.model.num_heads
    if factor == START:
        return "+".join(config.curriculum.start)
    if not is_override(factor):
        return run_config.value_of(config, factor)
    model, _, name = factor.partition(".")
    own = config.overrides_of(model)
    if name in own:
        return own[name]
    if name == "initialisation" and model != LEADER:
        return "+".join(config.starts_of(model))
    other: dict[str, Any] = {"size": None, "steps_factor": 1.0}
    other |= {argument: values[0] for argument, values in config.specs[model].choices.items()}
    return other[name] if name in other else run_config.value_of(config.of(model), name)


def is_override(factor: str) -> bool:
    """Return whether a factor is what one model has otherwise than the run, MODEL.SETTING."""
    return "." in factor


def with_values(config: RunConfig[T], values: Mapping[str, Value]) -> RunConfig[T]:
    """Return a run with some factors set.

    A core with more heads is no wider: `num_heads` keeps the slot size, and `head_size` follows, unless it is
    set too. `slot_size` sets `head_size` at whatever `num_heads` is. MODEL.SETTING becomes an override.

    Raises:
        TypeError: a value of the wrong type.
        ValueError: a value out of range, both `slot_size` and `head_size`, or a slot size that the heads do
            not divide.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> changed = with_values(RunConfig(task=Sorting()), {"num_heads": 8})
        >>> changed.model.num_heads, changed.model.head_size
        (8, 8)
        >>> with_values(RunConfig(task=Sorting()), {"start": "items=2+values=4"}).curriculum.start
        ('items=2', 'values=4')
    """
    changed: dict[str, Any] = {name: value for name, value in values.items() if not is_override(name)}
    if START in changed:
        changed[START] = tuple(str(changed[START]).split("+"))
    if SLOT_SIZE in changed and "head_size" in changed:
        raise ValueError("slot_size and head_size say the same of a core; vary one of them")
    heads = changed.get("num_heads", config.model.num_heads)
    size = changed.pop(SLOT_SIZE, None if "head_size" in changed else value_of(config, SLOT_SIZE))
    if size is not None and heads >= 1:  # else the configuration says what is wrong
        if size < 1 or size % heads:
            raise ValueError(
                f"slot_size must be a multiple of num_heads, got slot_size={size} with num_heads={heads}"
            )
        changed["head_size"] = size // heads
    found = run_config.with_values(config, changed)
    own = {name: v for name, v in values.items() if is_override(name) and v != value_of(found, name)}
    if not own:
        return found
    kept = [word for word in found.model.overrides if word.partition("=")[0] not in own]
    words = (*kept, *(f"{name}={value}" for name, value in own.items()))
    return run_config.with_values(found, {"overrides": words})


def check_heads(config: RunConfig, factors: Mapping[str, Sequence[Value]]) -> None:
    """Check that every number of heads divides the base's slots; a variant with more heads is no wider.

    Raises:
        ValueError: one does not; the message names a head size at which all of them do.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> check_heads(RunConfig(task=Sorting()), {"num_heads": (2, 3, 4)})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: num_heads=3: slot_size must be ... of these heads: --head-size 18 with --num-heads 4
    """
    counts = [heads for heads in factors.get("num_heads", ()) if isinstance(heads, int) and heads > 0]
    if {SLOT_SIZE, "head_size"} & factors.keys():  # which say themselves how wide a slot is
        return
    width, own = value_of(config, SLOT_SIZE), config.model.num_heads
    wrong = next((heads for heads in counts if width % heads), None)
    if wrong is not None:
        shared = math.lcm(own, *counts)
        wide = -(-width // shared) * shared  # the next width that they divide
        raise ValueError(
            f"num_heads={wrong}: slot_size must be a multiple of num_heads, got slot_size={width} with "
            f"num_heads={wrong}; slots of {wide} features take all of these heads: "
            f"--head-size {wide // own} with --num-heads {own}"
        )


def one_at_a_time(config: RunConfig, factors: Mapping[str, Sequence[Value]]) -> list[Variant]:
    """Return the base, then for each factor every value that differs from the base's.

    Raises:
        TypeError, ValueError: a value that the configuration does not take.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> found = one_at_a_time(RunConfig(task=Sorting()), {"num_heads": (2, 4), "use_mlp": (True, False)})
        >>> [variant.name for variant in found]
        ['base', 'num_heads=2', 'use_mlp=false']
    """
    check_heads(config, factors)
    changes: list[dict[str, Value]] = [{name: value} for name, values in factors.items() for value in values]
    variants = [variant(config, change) for change in changes]
    base = Variant(BASE, {}, config)
    return [base, *(found for found in variants if found.config != config)]


def product(config: RunConfig, factors: Mapping[str, Sequence[Value]]) -> list[Variant]:
    """Return every combination of the factors' values, the last factor changing first.

    Raises:
        TypeError, ValueError: a value that the configuration does not take.
    """
    check_heads(config, factors)
    return [variant(config, dict(zip(factors, values))) for values in itertools.product(*factors.values())]


def variant(config: RunConfig, values: dict[str, Value]) -> Variant:
    """Return the variant of a base with these values; an error begins with its name."""
    name = ",".join(f"{factor}={text_of(value)}" for factor, value in values.items())
    try:
        return Variant(name, values, with_values(config, values))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
