"""What a task is scored by: its name, which direction is better, and how people read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Score:
    """What models of a task are compared by.

    Example:
        >>> ACCURACY.rank(0.9) > ACCURACY.rank(0.8), ACCURACY.in_words(0.913)
        (True, '91.3 %')
    """

    name: str
    """In words, as in "accuracy on 5,000 test examples"."""
    key: str
    """What it is called among a learner's metrics and, after `test_` or another split, in results."""
    monitor: str
    """The metric by which parameters are kept: "accuracy" or "loss"."""
    rises: bool
    """Whether more is better."""
    head: str
    """What stands behind the split at the head of a table's column, in short."""
    cell: Callable[[float], str]
    """A score as a table has it, below such a head."""
    in_words: Callable[[float], str]
    """A score as a sentence has it."""
    form: str
    """A score as it stands by itself, for `str.format`."""
    others: tuple[tuple[str, str], ...] = ()
    """Further metrics that results keep: key, and the head of the column that the test has, "" for none."""

    @property
    def kept(self) -> tuple[str, ...]:
        """The metrics that results keep beside the accuracy."""
        own = () if self.key == "accuracy" else (self.key,)
        return (*own, *(key for key, _ in self.others))

    def rank(self, value: float) -> float:
        """Return a number that is larger for a better score."""
        return value if self.rises else -value


ACCURACY: Final = Score(
    name="accuracy",
    key="accuracy",
    monitor="accuracy",
    rises=True,
    head="%",
    cell=lambda share: f"{100 * share:.1f}",
    in_words=lambda share: f"{100 * share:.1f} %",
    form="{:.1%}",
)
"""Share of right answers."""

PERPLEXITY: Final = Score(
    name="perplexity",
    key="perplexity",
    monitor="loss",
    rises=False,
    head="ppl",
    cell=lambda value: f"{value:,.2f}",
    in_words=lambda value: f"perplexity {value:,.1f}" if value >= 10 else f"perplexity {value:.2f}",
    form="{:,.2f}",
    others=(("loss", ""), ("bits_per_byte", "bits/byte")),
)
"""exp of the mean loss of a token, in nats."""
