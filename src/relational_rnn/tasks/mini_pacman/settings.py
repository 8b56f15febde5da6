"""What can be chosen of Mini PacMan: the rewards, what the player sees, how long an episode may last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from relational_rnn.config.checks import check_choice, check_size
from relational_rnn.tasks.games import VIEWS, check_window

if TYPE_CHECKING:
    from relational_rnn.tasks.mini_pacman.batch import MiniPacmanBatch


@dataclass(frozen=True, kw_only=True)
class Mode:
    """What is rewarded, and when a level ends (Weber et al. 2017, from the authors' code).

    Example:
        >>> Mode(pill=1.0, ghost=10.0, death=-20.0, ends="ghosts") == MODES["hunt"]
        True
    """

    step: float = 0.0
    food: float = 0.0
    pill: float = 0.0
    ghost: float = 0.0
    """For eating one."""
    death: float = 0.0
    ends: str = "food"
    """The next level begins when all of this is eaten: "food", "pills" or "ghosts"."""
    most_steps: int | None = None
    """It also begins after so many steps of a level."""


MODES: Final = {
    "regular": Mode(food=1.0, pill=2.0, ghost=5.0),
    "avoid": Mode(step=0.1, food=-0.1, pill=-5.0, ghost=-10.0, death=-20.0, most_steps=128),
    "hunt": Mode(pill=1.0, ghost=10.0, death=-20.0, ends="ghosts"),
    "ambush": Mode(food=-0.1, ghost=10.0, death=-20.0, ends="ghosts"),
    "rush": Mode(food=-0.1, pill=10.0, ends="pills"),
}
OBSERVATIONS: Final = ("rgb", "planes")
PILLS: Final = 2
"""In a level."""
POWER: Final = 20
"""Steps that a pill lasts."""
STRAYS: Final = 0.05
"""How often a ghost that hunts takes any of its ways."""


@dataclass(frozen=True, kw_only=True)
class MiniPacman:
    """Mini PacMan: a maze with food, two power pills and ghosts (Weber et al. 2017).

    Raises:
        TypeError: a size is no integer.
        ValueError: no such mode, view or observation, or a size out of range.

    Example:
        >>> games = MiniPacman(view="viewport").batch(4)
        >>> games.reset(seed=0).shape
        (4, 3, 5, 5)
        >>> games.step(np.array([1, 2, 3, 4])).rewards.shape
        (4,)
    """

    name: ClassVar[str] = "mini-pacman"
    """What people type."""
    mode: str = "regular"
    """Of rewards and levels: "regular", "avoid", "hunt", "ambush" or "rush"."""
    view: str = "full"
    """The player sees the maze ("full"), or the cells around PacMan ("viewport")."""
    window: int = 5
    """Cells a side of the viewport, odd."""
    observation: str = "rgb"
    """As a picture of 3 channels ("rgb") or 6 planes of what there is ("planes")."""
    frame_cap: int = 3000
    """Most steps of an episode."""

    def __post_init__(self) -> None:
        """Check the values; sizes become plain ints."""
        check_choice("mode", self.mode, MODES)
        check_choice("view", self.view, VIEWS)
        check_choice("observation", self.observation, OBSERVATIONS)
        object.__setattr__(self, "window", check_window(self.window))
        object.__setattr__(self, "frame_cap", check_size("frame_cap", self.frame_cap))

    def batch(self, batch_size: int) -> MiniPacmanBatch:
        """Return so many games, played in step; `reset` starts them."""
        from relational_rnn.tasks.mini_pacman.batch import MiniPacmanBatch

        return MiniPacmanBatch(self, batch_size)
