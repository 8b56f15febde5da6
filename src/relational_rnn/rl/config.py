"""Everything that a run of agents depends on, as one value; each field is a flag by its own name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic

from typing_extensions import TypeVar

from relational_rnn.config.checks import check_choice, check_number, check_seed, check_size
from relational_rnn.tasks.game_registry import Game
from relational_rnn.training.config_limits import MOST_OF
from relational_rnn.training.config_parts import ModelConfig, RuntimeConfig
from relational_rnn.training.decode import decode
from relational_rnn.training.models import MODELS, check_models

Task = TypeVar("Task", default=Any)

MODELS_OF_AGENTS: Final = tuple(name for name, spec in MODELS.items() if spec.carries)
"""Whose state is of one size, however long an episode is."""

LEVELS: Final = {"curve": 10**9, "score": 2 * 10**9}
"""Seed of the first level on which agents are evaluated while they learn, and when they have learned."""


@dataclass(frozen=True, kw_only=True)
class PPO:
    """Settings of proximal policy optimisation; `rl.ppo` says what they do.

    Raises:
        TypeError: a number of a wrong type.
        ValueError: a number out of range.

    Example:
        >>> PPO(frames=20_000).rollout
        16
    """

    frames: int = 100_000
    """Steps of all games together; the last rollout is played to its end."""
    rollout: int = 16
    """T, steps of each game between two updates; gradients flow over as many."""
    epochs: int = 4
    """Passes over a rollout."""
    minibatches: int = 4
    """Parts into which the games of a rollout are divided, as equal as can be."""
    learning_rate: float = 1e-3
    """Of Adam; it falls linearly to 0."""
    discount: float = 0.99
    """Of a reward one step later."""
    gae: float = 0.95
    """lambda of generalised advantage estimation."""
    clip: float = 0.2
    """How far a probability may move in an update before it gains nothing more."""
    entropy: float = 0.01
    """Weight of the entropy bonus."""
    value: float = 0.5
    """Weight of the value's loss."""
    max_norm: float = 0.5
    """Of the gradient of all parameters together; a larger one is scaled down."""

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("frames", "rollout", "epochs", "minibatches"):
            check_size(name, getattr(self, name))
        for name in ("discount", "gae", "clip"):
            check_number(name, getattr(self, name), 0, 1)
        for name in ("learning_rate", "entropy", "value", "max_norm"):
            check_number(name, getattr(self, name), 0)
        for name in ("learning_rate", "max_norm"):
            if not getattr(self, name):
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")

    def check_games(self, games: int) -> None:
        """Check that a rollout of so many games can be divided.

        Raises:
            ValueError: more minibatches than games, or a minibatch of one step: its advantage, less the mean
                over the minibatch, is nothing.
        """
        if self.minibatches > games:
            raise ValueError(
                f"minibatches must be at most the number of games, {games}, got {self.minibatches}"
            )
        if self.rollout * (games // self.minibatches) < 2:
            raise ValueError(
                f"a minibatch must have at least 2 steps, got 1 (rollout={self.rollout}, games={games}, "
                f"minibatches={self.minibatches}): advantages are normalised over it"
            )


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """The agents of a run: an encoder of what is seen, and one of these cores.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size out of range, or an unknown choice.

    Example:
        >>> AgentConfig(models=("rmc",), mem_slots=2).core.mem_slots
        2
    """

    models: tuple[str, ...] = ("rmc", "lstm")
    """Which cores to train an agent with."""
    encoder_width: int = 64
    """Features of an encoded observation, which the core reads."""
    mem_slots: int = 4
    """RMC and hybrid: memory slots."""
    head_size: int = 16
    """RMC and hybrid: features of a slot for each head."""
    num_heads: int = 2
    """RMC and hybrid: attention heads."""
    num_blocks: int = 1
    """RMC: rounds of attention in a step."""
    gate_style: str = "unit"
    """RMC: "unit", "memory" or "none"."""
    forget_bias: float = 1.0
    """RMC: constant added to the forget gate before the sigmoid."""
    match: str = "parameters"
    """What opponents have in common with the RMC's agent: "parameters" (they get the smallest size with at
    least as many), "state" (the same of the numbers kept between steps) or "nothing" (they are as wide as the
    RMC's whole memory)."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_size("encoder_width", self.encoder_width, maximum=MOST_OF["head_size"])
        self.core  # noqa: B018 - which checks the rest

    @property
    def core(self) -> ModelConfig:
        """The same as models of other tasks have it."""
        own = ("models", "mem_slots", "head_size", "num_heads", "num_blocks", "gate_style", "forget_bias")
        values = {name: getattr(self, name) for name in own}
        return ModelConfig(**values, match=self.match)


@dataclass(frozen=True, kw_only=True)
class PlayConfig:
    """How many games are played, to learn and to evaluate.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size out of range.

    Example:
        >>> PlayConfig(games=32, actions="likely").test_episodes
        100
    """

    games: int = 64
    """B, games that are played side by side to learn from."""
    evaluate_every: int = 20_000
    """Frames between two points of the curves, rounded up to whole rollouts."""
    curve_episodes: int = 32
    """Levels behind a point of the curves; always the same ones, none of which is trained on."""
    test_episodes: int = 100
    """Levels behind the final scores: others, the same for every agent and player."""
    actions: str = "drawn"
    """What an agent does when it is evaluated: actions "drawn" by its probabilities, or the most "likely"."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("games", "curve_episodes", "test_episodes"):
            check_size(name, getattr(self, name), maximum=100_000)
        check_size("evaluate_every", self.evaluate_every)
        check_choice("actions", self.actions, ("drawn", "likely"))


@dataclass(frozen=True, kw_only=True)
class AgentRuntime(RuntimeConfig):
    """Where agents are trained.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size below 1, an unknown choice.

    Example:
        >>> AgentRuntime(threads=1).framework
        'torch'
    """

    framework: str = "torch"
    """What trains: "torch"; there are no agents in NumPy."""

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if self.framework != "torch":
            raise ValueError(f"agents need framework='torch', got {self.framework!r}")


@dataclass(frozen=True, kw_only=True)
class AgentRun(Generic[Task]):
    """Everything that a run of agents depends on.

    Raises:
        TypeError: a number is no integer.
        ValueError: values that are wrong or do not go together.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> AgentRun(task=CueRecall(delay=3), learning=PPO(frames=1_000)).updates
        1
    """

    task: Task
    """The game, with its settings."""
    model: AgentConfig = field(default_factory=AgentConfig)
    """The agents of a run."""
    learning: PPO = field(default_factory=PPO)
    """How they learn."""
    play: PlayConfig = field(default_factory=PlayConfig)
    """How much is played."""
    runtime: AgentRuntime = field(default_factory=AgentRuntime)
    """Where they are trained."""
    seed: int = 0
    """The first seed. A seed decides initial values, levels, actions and minibatches."""
    seeds: int = 1
    """How many seeds in a row; each is a training of every agent."""

    def __post_init__(self) -> None:
        """Check what the parts alone cannot."""
        check_size("seeds", self.seeds, maximum=MOST_OF["seeds"])
        check_seed("seed", self.seed)
        most = LEVELS["curve"] // self.play.games - self.seeds
        if self.seed > most:
            raise ValueError(
                f"seed must be at most {most} with games={self.play.games}, got {self.seed}: later levels "
                "are for evaluation"
            )
        check_models("torch", self.model.models)
        for name in self.model.models:
            if name not in MODELS_OF_AGENTS:
                raise ValueError(
                    f"models of agents must have a state of one size: {', '.join(MODELS_OF_AGENTS)}; got "
                    f"{name!r}, which keeps every step of an episode"
                )
        self.learning.check_games(self.play.games)

    @property
    def updates(self) -> int:
        """Rollouts that a training plays."""
        return -(-self.learning.frames // (self.learning.rollout * self.play.games))


def agent_run_from(game: Game, values: Mapping[str, Any]) -> AgentRun:
    """Turn what a JSON file holds back into the settings of a run; an absent field has its default.

    Args:
        game: that is played.
        values: of every field, part by part.

    Raises:
        ValueError: a field that is unknown, of another type or out of range.

    Example:
        >>> from relational_rnn.tasks.game_registry import find_trainable
        >>> values = {"task": {"delay": 3}, "learning": {"frames": 5_000}}
        >>> agent_run_from(find_trainable("cue-recall"), values).learning.frames
        5000
    """
    sizes = decode(_Sizes, {"task": values.get("task")}, "config").task
    try:
        task = game.make(
            **{name: tuple(one) if isinstance(one, list) else one for name, one in sizes.items()}
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"task: {error}") from None
    return decode(AgentRun, {**values, "task": task}, "config")


@dataclass(frozen=True)
class _Sizes:
    task: dict[str, Any]
