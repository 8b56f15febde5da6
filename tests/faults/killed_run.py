"""`killed_run.py train|ablate FOLDER resume|new`: what `test_kills` kills, saving at every step."""

import sys
from pathlib import Path

from relational_rnn.experiments import ablate, train
from relational_rnn.training import trainer
from relational_rnn.training.processes import Interrupted, RunFailed

trainer.CHECKPOINT_SECONDS = 0.0  # here, so that the processes that train have it too: they import this file

VALUES = {"preset": "tiny", "framework": "numpy", "steps": 24, "evaluate_every": 2, "seeds": 2}
OPTIONS = {"train_examples": 100, "test_examples": 20, "validation_examples": 20, "workers": 2}


def main(command, folder, how):
    options = {**VALUES, **OPTIONS, "out": Path(folder), "resume": how == "resume"}
    try:
        if command == "train":
            train("sorting", ["rmc", "lstm"], **options)
        else:
            ablate("sorting", {"num_heads": (1,)}, ["rmc"], **options)
    except Interrupted:
        return 130
    except RunFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
