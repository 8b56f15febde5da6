"""Train an agent with a memory on games in several processes: `python examples/agents_in_processes.py`.

TorchRL's `DistributedCollector` starts the workers, waits for a rollout of each and sends them new weights;
this process learns from all of them. Needs `pip install 'relational-rnn[torchrl]'`.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from typing import Any

import torch
from torch import nn

from relational_rnn.nn import RelationalMemory
from relational_rnn.rl import GameVectorEnv
from relational_rnn.rl.torchrl import RelationalMemoryModule

GAMES, STEPS, CUES = 32, 32, 4


def make_agent() -> tuple[RelationalMemoryModule, Any, Any]:
    """Return the memory, and the actor and the critic that share it."""
    from tensordict.nn import TensorDictModule, TensorDictSequential
    from torchrl.modules import ProbabilisticActor, ValueOperator

    core = RelationalMemory(CUES + 1, mem_slots=4, head_size=8, num_heads=2, batch_first=True)
    memory = RelationalMemoryModule(core)
    head = TensorDictModule(nn.Linear(core.output_size, CUES), ["features"], ["logits"])
    kind = {"distribution_class": torch.distributions.Categorical, "return_log_prob": True}
    actor = ProbabilisticActor(TensorDictSequential(memory, head), in_keys=["logits"], **kind)
    critic = TensorDictSequential(memory, ValueOperator(nn.Linear(core.output_size, 1), ["features"]))
    return memory, actor, critic


def make_envs(primer: Any, seed: int) -> Any:
    """Return the games of a worker: called there."""
    from torchrl import logger
    from torchrl.envs import GymWrapper, InitTracker

    logger.setLevel("WARNING")
    torch.set_num_threads(1)
    games = GameVectorEnv("cue-recall", GAMES, cues=CUES, autoreset_mode="SameStep")
    envs = GymWrapper(games, categorical_action_encoding=True)
    envs.append_transform(InitTracker())
    envs.append_transform(primer)
    envs.set_seed(seed)
    return envs


def train(workers: int, frames: int) -> None:
    """Print a line a batch: the cues that were named, and how far ratios are from 1 before it is learned."""
    from torchrl.collectors.distributed import DistributedCollector
    from torchrl.modules import set_recurrent_mode
    from torchrl.objectives import ClipPPOLoss
    from torchrl.objectives.value import GAE

    torch.manual_seed(0)
    memory, actor, critic = make_agent()
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic, deactivate_vmap=True)
    ppo = ClipPPOLoss(actor, critic, entropy_coeff=0.01, normalize_advantage=True)
    optimiser = torch.optim.Adam(ppo.parameters(), lr=3e-3)
    primer = memory.make_tensordict_primer()
    collector = DistributedCollector(
        [partial(make_envs, primer.clone(), worker * GAMES) for worker in range(workers)],
        actor,
        frames_per_batch=workers * GAMES * STEPS,
        total_frames=-(-frames // (workers * GAMES * STEPS)) * workers * GAMES * STEPS,
        launcher="mp",  # processes of this machine
        backend="gloo",
        sync=True,  # the workers wait for the weights, else they play with older ones
    )
    for number, batch in enumerate(collector):
        rollout = batch.reshape(workers * GAMES, STEPS)
        with torch.no_grad(), set_recurrent_mode(True):
            advantage(rollout)
            again = actor.get_dist(rollout.clone()).log_prob(rollout["action"])
        ratio = (again - rollout["action_log_prob"]).exp()
        for _ in range(4):
            for part in torch.randperm(len(rollout)).chunk(4):
                losses = ppo(rollout[part])
                optimiser.zero_grad()
                sum(losses[name] for name in ("loss_objective", "loss_entropy", "loss_critic")).backward()
                nn.utils.clip_grad_norm_(ppo.parameters(), 0.5)
                optimiser.step()
        collector.update_policy_weights_()  # before the workers play on
        after = rollout["next"]
        named = after["reward"][after["done"]].mean()
        told = f"batch {number}: {batch.numel()} frames of {workers} workers"
        print(f"{told}, cues named {named:.2f}, ratio off by {(ratio - 1).abs().max():.1e}", flush=True)
    collector.shutdown()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--frames", type=int, default=60_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)  # of TorchRL, about itself
    torch.set_num_threads(1)
    train(options.workers, options.frames)


if __name__ == "__main__":
    main()
