"""Agents of a run: built from its settings, written as safetensors, loaded again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from relational_rnn.config.checks import BadFile, check_choice
from relational_rnn.reference.arrays import Array
from relational_rnn.rl.config import AgentRun, agent_run_from
from relational_rnn.rl.ppo import Agent, Learner
from relational_rnn.rl.results import read_results
from relational_rnn.tasks.game_registry import find_trainable, game_of
from relational_rnn.tasks.games import load_games, save_games
from relational_rnn.training.arrays_file import (
    check_arrays,
    load_arrays,
    save_arrays,
    with_prefix,
    without_prefix,
)
from relational_rnn.training.decode import decode
from relational_rnn.training.learners.language import memory_arrays, memory_from
from relational_rnn.training.learners.torch_models import count_to_match
from relational_rnn.training.learners.torch_models import load_arrays as write_arrays
from relational_rnn.training.matching import smallest_size
from relational_rnn.training.models import LEADER, MODELS
from relational_rnn.training.run_folder import RunFolder

REMEDY = "remove it: --resume writes a run's weights again"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""What Adam keeps of each parameter."""


class AgentTraining(NamedTuple):
    """One training of a run.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> trainings_of(AgentRun(task=CueRecall(), seeds=2))[3]
        AgentTraining(name='lstm-1', model='lstm', label='LSTM, seed 1', seed=1)
    """

    name: str
    """Names its files and its records."""
    model: str
    """The core's name."""
    label: str
    """What people read."""
    seed: int


def trainings_of(config: AgentRun) -> list[AgentTraining]:
    """Return the trainings of a run: for each seed every model.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> [training.name for training in trainings_of(AgentRun(task=CueRecall(), seed=5, seeds=2))]
        ['rmc-5', 'lstm-5', 'rmc-6', 'lstm-6']
    """
    several = config.seeds > 1
    return [
        AgentTraining(
            f"{model}-{seed}", model, MODELS[model].label + (f", seed {seed}" if several else ""), seed
        )
        for seed in range(config.seed, config.seed + config.seeds)
        for model in sorted(config.model.models, key=list(MODELS).index)
    ]


def build_agent(config: AgentRun, model: str, seed: int = 0) -> Agent:
    """Build an agent; its initial values follow from the seed.

    Args:
        config: of the run.
        model: name of its core.
        seed: of its parameters.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> from relational_rnn.training.learners.torch_models import count_parameters
        >>> config = AgentRun(task=CueRecall())
        >>> agents = [build_agent(config, model) for model in config.model.models]
        >>> count_parameters(agents[0]) <= count_parameters(agents[1])
        True
    """
    size = core_size(config, model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _agent(config, model, size).to(config.runtime.device)


def core_size(config: AgentRun, model: str) -> int:
    """Return the size of a core: the RMC's, or the smallest with what is to match, or as wide a one.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> config = AgentRun(task=CueRecall())
        >>> core_size(config, "rmc"), core_size(config, "lstm")  # features of a head; of the LSTM's state
        (16, 32)
    """
    width, spec = config.model.head_size * config.model.num_heads, MODELS[model]
    if model == LEADER:
        return config.model.head_size
    if config.model.match != "nothing":

        def count(of: str, size: int) -> int:
            agent = _agent(config, of, size)
            return count_to_match(agent, agent.core.input_size, of, by_state=config.model.match == "state")

        with torch.random.fork_rng(devices=[]):
            wanted = count(LEADER, config.model.head_size)
            return smallest_size(lambda size: count(model, size), wanted)
    return config.model.mem_slots * (config.model.head_size if spec.size == "head_size" else width)


def _agent(config: AgentRun, model: str, size: int) -> Agent:
    spec = MODELS[model]
    make: Callable[..., Any] = spec.core("torch")
    options = {spec.size: size, **spec.options(config.model.core), "batch_first": False}
    return Agent(
        config.task.batch(1), lambda features: make(features, **options), width=config.model.encoder_width
    )


def save_agent(path: Path, agent: Agent, config: AgentRun, training: AgentTraining) -> None:
    """Write an agent's weights, and how to build it, atomically.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> config = AgentRun(task=CueRecall())
        >>> training = trainings_of(config)[0]
        >>> agent = build_agent(config, training.model, training.seed)
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "rmc-0.safetensors"
        ...     save_agent(path, agent, config, training)
        ...     path.exists()
        True
    """
    notes = {
        "game": config.task.name,
        "config": dataclasses.asdict(config),
        "training": training._asdict(),
    }
    save_arrays(path, arrays_of(agent), notes)


def arrays_of(agent: Agent) -> dict[str, Array]:
    """Return copies of an agent's parameters and buffers by name.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> arrays_of(build_agent(AgentRun(task=CueRecall(cues=4)), "lstm"))["policy.bias"].shape
        (4,)
    """
    return {name: value.cpu().numpy().copy() for name, value in agent.state_dict().items()}


def load_agent(path: Path) -> tuple[Agent, AgentRun, AgentTraining]:
    """Build the agent of a file that `save_agent` wrote, on the CPU.

    Raises:
        BadFile: the file is no such file.
        OSError: it cannot be read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> config = AgentRun(task=CueRecall())
        >>> training = trainings_of(config)[0]
        >>> agent = build_agent(config, training.model, training.seed)
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "rmc-0.safetensors"
        ...     save_agent(path, agent, config, training)
        ...     loaded, its_config, its_training = load_agent(path)
        >>> its_config.task, its_training.name
        (CueRecall(cues=4, delay=5), 'rmc-0')
    """
    values, notes = load_arrays(path, REMEDY)
    try:
        if notes.keys() != {"game", "config", "training"}:
            raise ValueError(f"its notes are {', '.join(notes) or 'none'}")
        config = agent_run_from(find_trainable(notes["game"]), notes["config"])
        config = dataclasses.replace(config, runtime=dataclasses.replace(config.runtime, device="cpu"))
        training = decode(AgentTraining, notes["training"], "training")
        agent = build_agent(config, check_choice("training.model", training.model, config.model.models))
        write_arrays(agent, values)
    except ValueError as error:
        raise BadFile(path, f"holds no agent: {error}", REMEDY) from None
    return agent.eval(), config, training


def find_agent(
    path: Path, model: str | None = None, seed: int | None = None
) -> tuple[Agent, AgentRun, AgentTraining]:
    """Load an agent of a finished run.

    Args:
        path: the run's folder.
        model: its core's name; None for the first of the run.
        seed: of its training; None for the one with the best mean return on the levels of the curves.

    Raises:
        ValueError: no run of agents there, none that is finished, or no such model or seed.

    Example:
        >>> agent, config, training = find_agent(Path("runs/cue-recall"), "rmc")  # doctest: +SKIP
        >>> find_agent(Path("no/such/run"))
        Traceback (most recent call last):
            ...
        ValueError: no/such/run holds no run (no config.json)
    """
    folder = RunFolder(path)
    command = folder.require()["command"]
    if game_of(command) is None:
        raise ValueError(f"{path} holds a run of `{command}`, which has no agents that play")
    folder.require_results()
    models = read_results(folder.results).models
    chosen = models[check_choice("model", next(iter(models)) if model is None else model, models)]
    trainings = {one.seed: one for one in chosen.trainings}
    if seed is not None and seed not in trainings:
        told = ", ".join(map(str, trainings))
        raise ValueError(f"{path} has agents with {chosen.label} of the seeds {told}; got {seed}")
    best = max(chosen.trainings, key=lambda one: one.curve_return)
    return load_agent(folder.weights((best if seed is None else trainings[seed]).name))


def state_of(learner: Learner) -> dict[str, Array]:
    """Return copies of everything that a learner's next rollout depends on.

    Example:
        >>> from relational_rnn.rl.config import PPO
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> config = AgentRun(task=CueRecall(), learning=PPO(rollout=7, epochs=1, minibatches=1))
        >>> learner = Learner(config.task.batch(8), build_agent(config, "lstm"), config.learning)
        >>> _ = learner.advance()
        >>> int(state_of(learner)["done"])
        1
    """
    moments = {
        f"{name}.{moment}": learner.optimiser.state[parameter][moment].cpu().numpy().copy()
        for name, parameter in learner.agent.named_parameters()
        for moment in MOMENTS
        if learner.optimiser.state[parameter]
    }
    return {
        **with_prefix("agent", arrays_of(learner.agent)),
        **with_prefix("adam", moments),
        **with_prefix("core", memory_arrays(learner.state)),
        **with_prefix("games", save_games(learner.games)),
        "scores": learner.scores.copy(),
        "generator": learner.generator.get_state().numpy().copy(),
        "done": np.array(learner.done),
    }


@torch.no_grad()
def load_state(learner: Learner, values: Mapping[str, Array]) -> None:
    """Go back to such a state.

    Raises:
        ValueError: it is another learner's.

    Example:
        >>> from relational_rnn.rl.config import PPO
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> config = AgentRun(task=CueRecall(), learning=PPO(rollout=7, epochs=1, minibatches=1))
        >>> agents = (build_agent(config, "lstm") for _ in range(2))
        >>> one, other = (Learner(config.task.batch(8), agent, config.learning) for agent in agents)
        >>> one.advance().frames
        56
        >>> load_state(other, state_of(one))
        >>> other.done, other.advance() == one.advance()  # it goes on as the other does
        (1, True)
    """
    missing = [name for name in ("scores", "generator", "done") if name not in values]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing")
    if not 0 <= int(values["done"]) <= learner.rollouts:
        raise ValueError(f"done must be from 0 to {learner.rollouts}, got {values['done']}")
    check_arrays({"scores": values["scores"]}, {"scores": learner.scores})
    write_arrays(learner.agent, without_prefix("agent", values))
    moments = without_prefix("adam", values)
    for name, parameter in learner.agent.named_parameters():
        own = {moment: moments[f"{name}.{moment}"] for moment in MOMENTS if f"{name}.{moment}" in moments}
        if own:
            zeros = np.zeros(tuple(parameter.shape), np.float32)
            check_arrays(own, dict(zip(MOMENTS, (zeros, zeros, np.zeros((), np.float32)))))
            learner.optimiser.state[parameter] = {
                moment: torch.from_numpy(np.array(value)).to("cpu" if moment == "step" else parameter.device)
                for moment, value in own.items()
            }
    learner.state = memory_from(
        without_prefix("core", values), learner.agent.core.initial_state(learner.games.batch_size)
    )
    load_games(learner.games, without_prefix("games", values))
    learner.scores[:] = values["scores"]
    learner.generator.set_state(torch.from_numpy(np.array(values["generator"])))
    learner.done = int(values["done"])
