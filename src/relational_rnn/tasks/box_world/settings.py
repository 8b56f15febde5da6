"""What can be chosen of Box-World: how hard levels are, what the player sees, how long an episode lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from relational_rnn.config.checks import check_choice, check_size
from relational_rnn.tasks.games import VIEWS, check_window

if TYPE_CHECKING:
    from relational_rnn.tasks.box_world.batch import BoxWorldBatch

COLOURS: Final = 20
"""Of keys and locks."""
MOST_SIZE: Final = 100


@dataclass(frozen=True, kw_only=True)
class BoxWorld:
    """Box-World: open boxes in the right order to reach the gem (Zambaldi et al. 2018).

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is out of range, there is no such view, or the boxes do not fit.

    Example:
        >>> games = BoxWorld(path_lengths=(2,), distractors=(1,)).batch(4)
        >>> games.reset(seed=0).shape
        (4, 3, 14, 14)
        >>> games.step(np.array([0, 1, 2, 3])).rewards.shape
        (4,)
    """

    name: ClassVar[str] = "box-world"
    """What people type."""
    size: int = 14
    """Cells a side, with the wall around the room."""
    path_lengths: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Boxes on the path to the gem, its own included; each level draws one of these."""
    distractors: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    """Boxes that lead nowhere; each level draws one of these."""
    view: str = "full"
    """The player sees the room ("full"), or the cells around him, the key he holds and his position
    ("viewport")."""
    window: int = 5
    """Cells a side of the viewport, odd."""
    frame_cap: int = 120
    """Most steps of an episode."""

    def __post_init__(self) -> None:
        """Check the values; sizes become plain ints."""
        object.__setattr__(self, "size", check_size("size", self.size, 6, MOST_SIZE))
        path_lengths = _several("path_lengths", self.path_lengths, 1, COLOURS - 1)
        object.__setattr__(self, "path_lengths", path_lengths)
        object.__setattr__(self, "distractors", _several("distractors", self.distractors, 0, MOST_SIZE))
        check_choice("view", self.view, VIEWS)
        object.__setattr__(self, "window", check_window(self.window))
        object.__setattr__(self, "frame_cap", check_size("frame_cap", self.frame_cap))
        most, room = 1 + max(self.path_lengths) + max(self.distractors), len(self.lattice())
        if most > room:
            raise ValueError(
                f"a path of {max(self.path_lengths)}, its first key and {max(self.distractors)} distractors "
                f"are {most} to be placed, and size {self.size} has room for {room}"
            )

    def lattice(self) -> list[tuple[int, int]]:
        """Return the rows and columns of the keys of boxes that are packed as densely as in columns."""
        return [(row, column) for row in range(2, self.size - 2, 2) for column in range(2, self.size - 3, 3)]

    def batch(self, batch_size: int) -> BoxWorldBatch:
        """Return so many games, played in step; `reset` starts them."""
        from relational_rnn.tasks.box_world.batch import BoxWorldBatch

        return BoxWorldBatch(self, batch_size)


def _several(name: str, values: Sequence[int] | int, minimum: int, maximum: int) -> tuple[int, ...]:
    """Return one or several numbers as a tuple of ints."""
    several = (values,) if not isinstance(values, Sequence) else values
    if not several:
        raise ValueError(f"{name} must name at least one number, got none")
    return tuple(check_size(name, value, minimum, maximum) for value in several)
