"""What measurements rest on: the order of rounds, the clock, memory, counted operations, estimates."""

import gc
import itertools
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from relational_rnn.bench.measure import (
    machine,
    machine_line,
    measure,
    memory_growth,
    orders,
)
from relational_rnn.bench.workloads import CONFIGURATIONS, Sizes, floating_point_operations
from relational_rnn.training.config import with_values
from relational_rnn.training.processes import peak_memory


def test_everyone_stands_everywhere_and_next_to_everyone_equally_often():
    rounds = list(itertools.islice(orders("abcd"), 8))
    for place in zip(*rounds, strict=True):
        assert sorted(place) == sorted("abcd" * 2)
    for first, second in zip(rounds[::2], rounds[1::2], strict=True):
        assert first == second[::-1]


def test_the_clock_is_read_around_each_run_alone():
    now, done = [0.0], []

    def takes(name, seconds):
        def run():
            now[0] += next(seconds)
            done.append(name)

        return run

    runs = {"a": takes("a", itertools.count(1.0)), "b": takes("b", itertools.repeat(10.0))}
    times = measure(runs, 5, clock=lambda: now[0])
    assert times["a"] == (5.0, 7.0, 9.0, 5)  # the first is the warm-up, then every second counts
    assert times["b"] == (10.0, 10.0, 10.0, 5)
    assert "".join(done[:10]) == "ab" + "aabb" + "bbaa"


def test_a_rest_comes_before_each_untimed_run(monkeypatch):
    done = []
    monkeypatch.setattr("time.sleep", lambda seconds: done.append(seconds))
    measure({"a": lambda: done.append("a")}, 2, rest=0.25)
    assert done == ["a", 0.25, "a", "a", 0.25, "a", "a"]


def test_no_further_round_after_the_time():
    times = measure({"nothing": lambda: None}, 1000, seconds=0.0)
    assert times["nothing"].rounds == 3


def test_nothing_is_collected_in_between_and_afterwards_it_is_again():
    seen = []
    measure({"look": lambda: seen.append(gc.isenabled())}, 1)
    assert seen == [True, False, False]
    assert gc.isenabled()
    left = iter([1])  # for the first run, none for the second
    with pytest.raises(StopIteration):
        measure({"fail": lambda: next(left)}, 2)
    assert gc.isenabled()


def test_rounds_must_be_some():
    with pytest.raises(ValueError, match="rounds must be an integer of at least 1, got 0"):
        measure({}, 0)


def test_the_machine_line_has_what_was_found():
    found = machine()
    line = machine_line(found)
    assert found["versions"].keys() >= {"python", "numpy"}
    assert f"numpy {found['versions']['numpy']}" in line
    assert f"{found['cores']} core" in line
    assert "no vector instructions known" in machine_line(found | {"instructions": []})


def test_a_system_that_says_nothing(monkeypatch):
    read = Path.read_text

    def forbidden(path, *how, **options):
        if path.parts[:2] == ("/", "proc"):
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *how, **options)

    monkeypatch.setattr(Path, "read_text", forbidden)
    assert machine()["instructions"] == []
    assert memory_growth(lambda: None) >= 0
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    assert peak_memory() == 0


@pytest.mark.parametrize("size", [0, 48 * 2**20])
def test_memory_growth(size):
    code = f"""
from relational_rnn.bench.measure import memory_growth
print(memory_growth(lambda: len(bytearray(b"x") * {size})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert size - 2**20 <= int(done.stdout) <= size + 8 * 2**20


@pytest.mark.torch
@pytest.mark.parametrize("sizes", [Sizes(3, 5, 7, 2, 3, 4), CONFIGURATIONS[0]])
def test_the_operations_are_those_that_torch_counts(sizes):
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from relational_rnn.nn import RelationalMemory

    core = RelationalMemory(**sizes.options, batch_first=True, backend="eager")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        core(torch.zeros(sizes[:3]))
    counted = counter.get_flop_counts()["Global"]
    products = sum(
        count for operation, count in counted.items() if str(operation) in ("aten.addmm", "aten.mm")
    )
    assert 3 * products == floating_point_operations(sizes)


@pytest.mark.torch
def test_an_estimate_follows_the_budgets(monkeypatch):
    pytest.importorskip("torch")
    from relational_rnn.bench import estimate
    from relational_rnn.recipes.nth_farthest import tiny

    quantiles = {"rmc": SimpleNamespace(median=0.25), "lstm": SimpleNamespace(median=1.0)}
    monkeypatch.setattr(estimate, "measure", lambda runs, rounds, seconds: quantiles)
    words = (*tiny().model.overrides, "lstm.steps=16")
    config = with_values(tiny(), {"steps": 20, "overrides": words})
    # The RMC takes 5 seconds. Of the three LSTMs, of 16 each, the two that grow wait for its changes.
    for workers, run in ((1, 5 + 3 * 16), (2, 16 + 16), (4, 5 + 16)):
        found = estimate.estimate_run(with_values(config, {"workers": workers}))
        assert (found.steps, found.trainings, found.run) == ({"rmc": 20, "lstm": 16}, 4, run)
    limited = estimate.estimate_run(with_values(config, {"workers": 1, "seconds": 4.0}))
    assert limited.run == 4 * 4.0
    alone = estimate.estimate_run(with_values(config, {"models": ("lstm",), "workers": 1}))
    assert alone.run == 3 * 16.0


@pytest.mark.torch
@pytest.mark.slow
def test_ways_to_multiply_agree():
    torch = pytest.importorskip("torch")
    from relational_rnn.bench.products import best_products, routes

    x, weight = torch.randn(5, 7), torch.randn(6, 7)
    for way in routes(x, weight).values():
        torch.testing.assert_close(torch.as_tensor(way()), x @ weight.t())
    found = best_products(rounds=1, shapes=((8, 4, 4), (4, 4, 4)))
    assert found.keys() == routes(x, weight).keys()
    for product in found.values():
        assert product.rate > 0
        assert product.operations % (2 * 4 * 4 * 4) == 0
        product.run()
