"""Cue recall: a cue is shown once, steps pass, then the player has to name it. The smallest game of memory.

The first observation shows one of `cues` cues, `delay` observations show nothing, the last asks. Only the
action at the last counts: reward 1 if it names the cue, else 0, and the episode is over. Without memory a
player gets 1/cues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks import streams
from relational_rnn.tasks.checks import check_task_size
from relational_rnn.tasks.games import GameBatch, Outcome, Player, check_actions, random

if TYPE_CHECKING:
    from jaxtyping import Float32, Int64, UInt8


@dataclass(frozen=True, kw_only=True)
class CueRecall:
    """Cue recall: name the cue that was shown at the first step.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is out of range.

    Example:
        >>> games = CueRecall(cues=4, delay=5).batch(3)
        >>> games.reset(seed=0).shape
        (3, 5)
        >>> for _ in range(7):
        ...     outcome = games.step(games.cue)
        >>> outcome.rewards, outcome.terminated
        (array([1., 1., 1.]), array([ True,  True,  True]))
    """

    name: ClassVar[str] = "cue-recall"
    cues: int = 4
    """K, cues and actions."""
    delay: int = 5
    """Steps between the cue and the question; an episode has two more."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        object.__setattr__(self, "cues", check_task_size("cues", self.cues, minimum=2))
        object.__setattr__(self, "delay", check_task_size("delay", self.delay, minimum=0))

    def batch(self, batch_size: int) -> CueRecallBatch:
        """Return so many games, played in step; `reset` starts them."""
        return CueRecallBatch(self, batch_size)


class CueRecallBatch(GameBatch):
    """A batch of games of cue recall, played in step; see `tasks.games.Games`.

    Args:
        task: what is played.
        batch_size: B, games.

    Raises:
        TypeError: `batch_size` is no integer.
        ValueError: it is below 1.

    Example:
        >>> games = CueRecallBatch(CueRecall(cues=3, delay=1), 1)
        >>> games.reset(seed=0)
        array([[0., 1., 0., 0.]], dtype=float32)
    """

    def __init__(self, task: CueRecall, batch_size: int) -> None:
        """Lay out games that `reset` starts."""
        self.task = task
        self.batch_size = batch = check_size("batch_size", batch_size)
        self.actions = tuple(f"cue {cue}" for cue in range(task.cues))
        self.frames = np.zeros(batch, np.int64)
        self.cue = np.full(batch, -1)
        """The one to name; -1 before `reset`."""
        self._counters = np.zeros(batch, np.uint64)

    def _start(self, games: Int64[np.ndarray, " G"], seeds: Int64[np.ndarray, " G"] | None) -> None:
        if seeds is not None:
            self._counters[games] = streams.start(seeds)
        elif (self.cue[games] < 0).any():
            raise RuntimeError("call reset before restart")
        drawn = streams.uniforms(self._counters[games], 1)[:, 0]
        self.cue[games] = (drawn * self.task.cues).astype(np.int64)
        self._counters[games] += streams.INCREMENT
        self.frames[games] = 0

    def step(self, actions: Int64[np.ndarray, " B"] | Sequence[int]) -> Outcome:
        """Play one step of each game that is not over; the event "recalled" is a cue that was named.

        Raises:
            RuntimeError: `reset` was never called.
            TypeError: actions are no integers.
            ValueError: they have another shape, or one is no action.
        """
        if (self.cue < 0).any():
            raise RuntimeError("call reset before the first step")
        chosen = check_actions(actions, self.batch_size, self.actions)
        recalled = (self.frames == self.task.delay + 1) & (chosen == self.cue)
        self.frames += self.frames < self.task.delay + 2
        return Outcome(
            rewards=recalled.astype(np.float64),
            terminated=self.frames == self.task.delay + 2,
            truncated=np.zeros(self.batch_size, bool),
            events={"recalled": recalled.astype(np.int64)},
        )

    def observe(self) -> Float32[np.ndarray, "B F"]:
        """Return the cue, one-hot, at first, and a 1 in the last place where it is asked: F = K + 1."""
        shown = np.zeros((self.batch_size, self.task.cues + 1), np.float32)
        first = np.flatnonzero(self.frames == 0)
        shown[first, self.cue[first]] = 1
        shown[self.frames == self.task.delay + 1, -1] = 1
        return shown

    def picture(self, game: int) -> UInt8[np.ndarray, "1 F 3"]:
        """Return what one player sees as a row of pixels."""
        return np.repeat((255 * self.observe()[game]).astype(np.uint8)[None, :, None], 3, 2)

    def text(self, game: int) -> str:
        """Return what one player sees as a line of text."""
        frame = int(self.frames[game])
        if frame == 0:
            return f"step 0: cue {self.cue[game]}"
        asks = (
            "which cue was it?"
            if frame == self.task.delay + 1
            else "over"
            if frame > self.task.delay
            else "-"
        )
        return f"step {frame}: {asks}"


def scripted(games: CueRecallBatch, generator: np.random.Generator) -> Int64[np.ndarray, " B"]:
    """Return the cue that was shown, which it knows at every step.

    Example:
        >>> games = CueRecallBatch(CueRecall(cues=3, delay=0), 4)
        >>> _ = games.reset(seed=0)
        >>> generator = np.random.default_rng(0)
        >>> _ = games.step(scripted(games, generator))
        >>> games.step(scripted(games, generator)).rewards
        array([1., 1., 1., 1.])
    """
    return games.cue.copy()


PLAYERS: Final[dict[str, Player]] = {"random": random, "scripted": scripted}
"""What an agent is measured against."""
