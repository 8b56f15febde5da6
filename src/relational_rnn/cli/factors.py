"""`--over FACTOR=VALUES`: from words to factors, with an error for everything that cannot be varied."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from relational_rnn.config.checks import did_you_mean
from relational_rnn.experiments.factors import NO_FACTORS, Range, kinds_of
from relational_rnn.training.config import RunConfig
from relational_rnn.training.models import LABELS, LEADER
from relational_rnn.training.variants import Value, text_of

Values = tuple[Value, ...]


def parse_factors(task: str, config: RunConfig, words: Iterable[str]) -> dict[str, Values | Range]:
    """Return the factors that some `--over` name.

    Args:
        task: name of the task, for errors.
        config: of the base.
        words: `num_heads=1,2,4`, or for a search also `learning_rate=1e-4:1e-2:log`.

    Raises:
        ValueError: an unknown factor, one that comes twice, or values that are wrong or come twice.

    Example:
        >>> from relational_rnn.recipes import find_recipe
        >>> parse_factors("sorting", find_recipe("sorting", "tiny"), ["num-heads=1,2", "use_mlp=false"])
        {'num_heads': (1, 2), 'use_mlp': (False,)}
    """
    known = kinds_of(config)
    factors: dict[str, Values | Range] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not text:
            raise ValueError(f"--over takes FACTOR=VALUE,VALUE,... as in num_heads=1,2,4; got {word!r}")
        if name in NO_FACTORS:
            raise ValueError(f"{name} is no factor: all variants have the same; give it as --{name}")
        if name not in known and name.partition(".")[0] in LABELS:
            raise ValueError(f"{name} is no setting of a model of this run, {', '.join(config.model.models)}")
        if name not in known:
            near = did_you_mean(name, known)
            raise ValueError(
                f"{task} has no factor {name!r}{near}; its factors are {', '.join(sorted(known))}"
            )
        if name in factors:
            raise ValueError(f"--over names the factor {name} twice")
        kind, optional = known[name]
        if ":" in text and kind in (int, float):
            factors[name] = _parse_range(name, text, kind)
            continue
        values = tuple(_parse_value(name, part.strip(), kind, optional) for part in text.split(","))
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"{name} names the value {text_of(value)} twice")
        factors[name] = values
    return factors


def only_values(factors: dict[str, Values | Range], why: str) -> dict[str, Values]:
    """Return the factors if none of them is a range.

    Raises:
        ValueError: one is; the message ends with `why`.
    """
    for name, values in factors.items():
        if isinstance(values, Range):
            raise ValueError(f"{name} is given as a range; {why}")
    return {name: values for name, values in factors.items() if not isinstance(values, Range)}


def refuse_overrides(config: RunConfig, factors: Iterable[str]) -> None:
    """Check that no factor is what a model has otherwise, which would hold in every variant.

    Raises:
        ValueError: one is.
    """
    for word in config.model.overrides:
        if word.partition(".")[0] not in config.model.models:
            continue
        of_model = word.partition("=")[0]
        model, _, setting = of_model.partition(".")
        alone = setting == "initialisation" and model != LEADER  # the run's is the leader's
        for name in (of_model,) if alone else (of_model, setting):
            if name in factors:
                raise ValueError(f"{name} cannot be varied: --overrides {word} holds in every variant")


def _parse_value(name: str, text: str, kind: type, optional: bool) -> Any:
    if optional and text.lower() == "none":
        return None
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{name} takes true or false, got {text!r}")
        return text.lower() == "true"
    if kind is str:
        return text
    return _number(name, text, kind)


def _number(name: str, text: str, kind: type) -> Any:
    what = "an integer" if kind is int else "a number"
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"{name} takes {what}, got {text!r}") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} takes {what}, got {text!r}")
    return value


def _parse_range(name: str, text: str, kind: type) -> Range:
    low, high, *how = (part.strip() for part in text.split(":"))
    if len(how) > 1:
        raise ValueError(f"{name} takes a range LOW:HIGH, LOW:HIGH:log or LOW:HIGH:STEP, got {text!r}")
    ends = _number(name, low, kind), _number(name, high, kind)
    if ends[0] >= ends[1]:
        raise ValueError(f"{name} takes a range LOW:HIGH with LOW below HIGH, got {text!r}")
    if how == ["log"]:
        if ends[0] <= 0:
            raise ValueError(f"{name} takes a range LOW:HIGH:log with LOW above 0, got {text!r}")
        return Range(*ends, log=True)
    step = _number(name, how[0], kind) if how else None
    if step is not None and step <= 0:
        raise ValueError(f"{name} takes a range LOW:HIGH:STEP with STEP above 0, got {text!r}")
    if step is not None and not math.isclose((ends[1] - ends[0]) / step, round((ends[1] - ends[0]) / step)):
        raise ValueError(f"{name} takes a range with a whole number of steps from LOW to HIGH, got {text!r}")
    return Range(*ends, step=step)
