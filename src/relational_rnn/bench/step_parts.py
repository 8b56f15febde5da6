"""Where the time of a training step goes: its parts, told apart by hooks on the learner that trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from torch import Tensor

from relational_rnn.bench.estimate import in_training
from relational_rnn.training.config import RunConfig

CORE: Final = "core"
PARTS: Final = ("data", CORE, "head and loss", "norm of the gradients", "optimiser", "average and scores")
"""In the order of a step: a batch is drawn; core forward; head forward, loss, head backward; core backward;
the gradients are measured and clipped; the optimiser; the weights' average, and what a step is told by."""


def step_parts(
    config: RunConfig, model: str, clock: Callable[[], float]
) -> Callable[[int], dict[str, float]]:
    """Return what does so many training steps of a model on the full task and says where their time went.

    Args:
        config: of the run.
        model: one of its models that classify sequences.
        clock: such as `time.process_time`.

    Returns:
        (number of steps) -> the seconds of each of `PARTS`; their sum is that of the steps.

    Example:
        >>> from time import process_time
        >>> from relational_rnn.recipes import find_recipe
        >>> run = step_parts(find_recipe("nth-farthest", "tiny"), "rmc", process_time)
        >>> list(run(2)) == list(PARTS)
        True
    """
    learner, batches, rate = in_training(config, model)
    classifier: Any = learner.model
    spent, before = dict.fromkeys(PARTS, 0.0), clock()

    def end_of(part: str) -> Callable[..., None]:
        """Return a hook that says that a part is over, whatever it is called with."""

        def hook(*_: object) -> None:
            nonlocal before
            now = clock()
            spent[part] += now - before
            before = now

        return hook

    def at_head(_: object, inputs: tuple[Tensor, ...]) -> None:
        end_of(CORE)()
        if inputs[0].requires_grad:
            inputs[0].register_hook(end_of("head and loss"))

    # None of them on the core or its layers, which would send it to another backend.
    classifier.register_forward_pre_hook(end_of("data"))
    classifier.head.register_forward_pre_hook(at_head)
    for parameter in classifier.core.parameters():
        parameter.register_post_accumulate_grad_hook(end_of(CORE))
    learner.optimiser.register_step_pre_hook(end_of("norm of the gradients"))
    learner.optimiser.register_step_post_hook(end_of("optimiser"))
    scored = end_of("average and scores")

    def run(steps: int) -> dict[str, float]:
        nonlocal before
        spent.update(dict.fromkeys(PARTS, 0.0))
        before = clock()
        for number in range(steps):
            learner.train_step(batches(number), rate)
            scored()
        return dict(spent)

    return run
