"""Array annotations say the truth: a working day of the NumPy rooms passes under a run-time type checker."""

import subprocess
import sys
import textwrap


def test_annotations_hold_at_run_time():
    code = """
        import builtins

        import jaxtyping
        from jaxtyping import install_import_hook

        # Tasks import these for type checkers alone.
        names = "Bool Float Float32 Float64 Int Int32 Int64 Integer UInt8 UInt64"
        for name in names.split():
            setattr(builtins, name, getattr(jaxtyping, name))
        with install_import_hook(["relational_rnn.reference", "relational_rnn.tasks"], "beartype.beartype"):
            from relational_rnn import reference
            from relational_rnn.tasks import TASKS
            from relational_rnn.tasks import box_world, concentration, cue_recall
            from relational_rnn.tasks import mini_pacman, repeat_previous
            from relational_rnn.tasks import nth_farthest as task
            from relational_rnn.tasks.box_world.players import PLAYERS as box_world_players
            from relational_rnn.tasks.mini_pacman.players import PLAYERS as mini_pacman_players

        import numpy as np

        generator = np.random.default_rng(0)
        full = task.NthFarthest(objects=5, dimensions=3)
        for objects, dimensions in ((5, 3), (3, 2)):
            batch = task.sample(full, 7, generator, objects=objects, dimensions=dimensions)
            assert (task.oracle(full, batch.inputs) == batch.targets).all()
        task.trivial_policy(full, batch.inputs, generator)

        for entry in TASKS.values():
            sizes = {"tasks": (1, 2), "synthetic": True} if entry.name == "babi" else {}
            one = entry.factory(**sizes)
            batch = entry.sample(one, 7, generator)
            entry.oracle(one, batch.inputs)

        for view in ("full", "viewport"):
            for game, players in (
                (mini_pacman.MiniPacman(view=view), mini_pacman_players),
                (mini_pacman.MiniPacman(view=view, observation="planes"), {}),
                (box_world.BoxWorld(view=view), box_world_players),
                (cue_recall.CueRecall(), {}),
                (repeat_previous.RepeatPrevious(), repeat_previous.PLAYERS),
                (concentration.Concentration(), concentration.PLAYERS),
            ):
                games = game.batch(7)
                games.reset(0)
                games.restart(games.step(generator.integers(4, size=7)).terminated)
                games.observe()
                games.picture(0), games.text(0)
                for player in players.values():
                    player(games, generator)

        for dtype in (np.float64, np.float32):
            for options in (
                {},
                {"num_blocks": 2, "gate_style": "memory", "key_size": 3, "read_head": "attention"},
                {"input_fusion": "tile", "initial_memory": "trainable", "read_head": "weighted"},
                {"treat_input_as_matrix": True, "input_rows": 2, "gate_style": "none", "read_head": "mean"},
                {"use_attention": False, "use_mlp": False, "use_residual": False, "use_layer_norm": False},
            ):
                core = reference.RelationalMemory(6, 4, 5, 2, dtype=dtype, **options)
                rows = (2,) if options.get("treat_input_as_matrix") else ()
                inputs = generator.standard_normal((7, 3, *rows, 6)).astype(dtype)
                outputs, memory, trace = core.forward(
                    inputs, resets=generator.random((7, 3)) < 0.5, return_trace=True
                )
                core.backward(np.ones_like(outputs), np.ones_like(memory))
            lstm = reference.LSTM(6, 5, 4, dtype=dtype)
            outputs, state = lstm.forward(inputs[:, :, 0] if rows else inputs, return_state=True)
            lstm.backward(np.ones_like(outputs))
            hybrid = reference.RelationalRNN(6, 5, 4, num_slots=3, slot_size=4, num_heads=2, dtype=dtype)
            outputs, *_, trace = hybrid.forward(
                generator.standard_normal((7, 3, 6)), return_state=True, return_trace=True
            )
            hybrid.backward(np.ones_like(outputs))
            reference.Adam().step(hybrid.params, hybrid.grads)
            attention = reference.MultiHeadAttention(8, 2, dtype=dtype)
            x = generator.standard_normal((7, 3, 8)).astype(dtype)
            attention.backward(np.ones_like(attention.forward(x, x, x)))
            reference.multi_head_attention(x, x, x, num_heads=2, return_weights=True)
        print("held")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "held\n"
