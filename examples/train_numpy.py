"""Train a Relational Memory Core in NumPy alone: sort five items, in seconds on one core.

    python train_numpy.py                     # train, score, save sorting.safetensors
    python train_numpy.py --figure            # and memory_evolution.png

Run it again and it goes on from what it saved: a finished training is only scored. Needs relational-rnn, and
for the figure matplotlib; never torch.
"""

import argparse
from pathlib import Path

import numpy as np

from relational_rnn.reference import Adam, Classifier, RelationalMemory, evaluate
from relational_rnn.tasks import generate_reasoning_data
from relational_rnn.training.learners.numpy import fit
from relational_rnn.training.schedule import warmup_cosine


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--figure", action="store_true", help="draw what the memory holds")
    arguments = parser.parse_args()

    data = generate_reasoning_data("sorting", sizes={"items": 5}, train=20_000, seed=0)
    features, classes = data.metadata["input_size"], data.metadata["classes"]
    core = RelationalMemory(features, mem_slots=4, head_size=8, num_heads=4, dtype=np.float32, seed=0)
    model = Classifier(core, classes, seed=1)  # a linear layer on the core's outputs
    result = fit(
        model,
        data.train,
        data.validation,
        steps=arguments.steps,
        optimizer=Adam(learning_rate=2e-3),
        schedule=lambda step: warmup_cosine(step, step / arguments.steps, warmup_steps=100, final_share=0.02),
        patience=5,
        checkpoint="sorting.safetensors",
    )
    test, harder = evaluate(model, data.test), evaluate(model, data.harder)
    print(f"trained {result.step:,} steps in {result.seconds:.0f} s, best after {result.best['step']:,}")
    print(f"test accuracy   {test['accuracy']:.1%}, majority {data.metadata['majority']:.1%}")
    print(f"harder accuracy {harder['accuracy']:.1%}, majority {data.metadata['harder_majority']:.1%}")

    if arguments.figure:
        from relational_rnn.analysis import memory_evolution, record_memory

        recorded = record_memory(model, data.test.inputs[:256])
        title, path = "The memory while it sorts five items", Path("memory_evolution.png")
        print(f"drew {memory_evolution(recorded, title=title, mask=data.test.mask[:256], path=path)}")


if __name__ == "__main__":
    main()
