"""Train the core of exercise 4, 4 slots and one head, on pair matching: for page 4. Seconds on one core.

    relational-rnn course measure 4 [YOUR_FILE]                # with your functions instead of the solution's

Two pairs of a key and a value are shown (6 keys, 6 values), then a key; which value has it? The package
trains the core that `small_core` makes; then `run` answers the test with the trained parameters.
"""

import sys
import time

from relational_rnn.reference import Adam, Classifier, evaluate
from relational_rnn.tasks import generate_reasoning_data
from relational_rnn.training.learners.numpy import fit
from relational_rnn.training.schedule import warmup_cosine

STEPS, SEEDS, EXAMPLES = 1000, 3, 20_000


def main(mine):
    """Print the table; `mine` has the functions of the exercise."""
    print("| seed | test accuracy | by `run` | any value shown | chance | processor's seconds |")
    print("|---|---|---|---|---|---|")
    for seed in range(SEEDS):
        sizes = {"pairs": 2, "keys": 6, "values": 6}
        data = generate_reasoning_data("pair-matching", sizes=sizes, train=EXAMPLES, seed=seed)
        core = mine.small_core(data.metadata["input_size"], seed)
        model = Classifier(core, data.metadata["classes"], seed=seed)
        began = time.process_time()
        fit(
            model,
            data.train,
            data.validation,
            steps=STEPS,
            optimizer=Adam(learning_rate=5e-3),
            schedule=lambda step: warmup_cosine(step, step / STEPS, warmup_steps=50, final_share=0.02),
            evaluate_every=STEPS // 4,
            progress=False,
            seed=seed,
        )
        seconds = time.process_time() - began
        accuracy = evaluate(model, data.test)["accuracy"]
        outputs, _ = mine.run(data.test.inputs, core.initial_state(len(data.test.inputs)), core.params, 1)
        scores = outputs[:, -1] @ model.params["head.0.weight"].T + model.params["head.0.bias"]
        by_run = (scores.argmax(axis=1) == data.test.targets[:, -1]).mean()
        print(
            f"| {seed} | {accuracy:.1%} | {by_run:.1%} | {data.metadata['shortcut']:.1%} | "
            f"{data.metadata['chance']:.1%} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    from relational_rnn.cli.main import main as command

    raise SystemExit(command(["course", "measure", "4", *sys.argv[1:], "--script", __file__]))
