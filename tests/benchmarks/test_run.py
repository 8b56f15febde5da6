"""The benchmarks run at tiny sizes, refuse to report on red tests, and their page equals their records."""

import importlib
import json
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "performance.md"
RECORDS = PAGE.parent / "results" / "benchmarks"
pytestmark = pytest.mark.torch


@pytest.fixture
def run(scripts, monkeypatch, tmp_path):
    """benchmarks/run.py with everything tiny."""
    from relational_rnn.bench.products import Product
    from relational_rnn.training.config import with_values

    module = importlib.import_module("run")
    speed, streaming, memory, scaling = module.speed, module.streaming, module.memory_growth, module.scaling
    tiny = speed.Sizes(2, 3, 5, 4, 3, 2)
    monkeypatch.setattr(speed, "CONFIGURATIONS", (tiny, tiny._replace(batch=1)))
    monkeypatch.setattr(speed, "BFLOAT16_AT", tiny)
    monkeypatch.setattr(speed, "THREADS", (1,))
    products = {"slow": Product(lambda: None, 10, 1e9), "fast": Product(lambda: None, 20, 2e9)}
    monkeypatch.setattr(speed, "best_products", lambda clock: products)
    monkeypatch.setattr(speed, "REST", 0.0)
    monkeypatch.setattr(streaming, "CONFIGURATIONS", (tiny._replace(batch=1, time=1),))
    monkeypatch.setattr(streaming, "CALLS", 2)
    monkeypatch.setattr(module.compiled, "CONFIGURATIONS", (tiny,))
    monkeypatch.setattr(module.compiled, "COMPILER", "eager")  # torch's own takes a minute
    monkeypatch.setattr(memory, "SIZES", tiny._replace(batch=32, time=50))  # so that it grows
    axes = {"steps": [tiny, tiny._replace(time=6)], "batch": [tiny, tiny._replace(batch=4)]}
    monkeypatch.setattr(scaling, "AXES", axes)
    monkeypatch.setattr(scaling, "FIGURE", tmp_path / "cost.png")
    sizes = {"objects": 3, "dimensions": 2, "head_size": 2, "num_heads": 2, "mem_slots": 2, "head_units": 4}
    data = {"start": (), "grow": False, "batch_size": 4, "validation_examples": 4}
    training = with_values(module.training_step.CONFIG, sizes | data)
    monkeypatch.setattr(module.training_step, "CONFIG", training)
    monkeypatch.setattr(module.training_step, "STEPS", 2)
    monkeypatch.setattr(module.step_parts, "CONFIGS", {"a training": training})
    monkeypatch.setattr(module.step_parts, "STEPS", 2)
    monkeypatch.setattr(module.gpu, "DEVICE", "cpu")
    monkeypatch.setattr(module.gpu, "CONFIGURATIONS", (tiny,))
    monkeypatch.setattr(module.gpu, "PEAK_SIZE", 64)
    scripts.PAGE.write_text("".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in module.BENCHMARKS))
    return module


@pytest.fixture
def green(scripts, monkeypatch):
    monkeypatch.setattr(scripts, "check_parity", lambda: None)


@pytest.mark.parametrize(
    "name",
    [
        "speed",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("gpu", "streaming", "compiled", "training", "scaling", "memory")
        ),
    ],
)
def test_a_benchmark_prints_and_keeps_its_record(run, green, scripts, capsys, name, tmp_path):
    pytest.importorskip("matplotlib")
    from relational_rnn.bench.fwd_bwd_torch import variants

    run.main([name, "--rounds", "1", "--publish"])
    record = json.loads((scripts.RECORDS / f"{name}.json").read_text())
    ours, missing = variants()
    assert {"machine", "rounds", "rows"} <= record.keys()
    assert missing.items() <= record.get("missing", {}).items()
    for row in record["rows"]:
        times = row.get("milliseconds") or row.get("microseconds")
        wanted = ours.keys() - {"native"} if row.get("class") == "bfloat16" else ours.keys()  # not every CPU
        assert times is None or wanted <= times.keys()
    text = run.as_text(name, record)
    assert text in capsys.readouterr().out
    assert f"<!-- {name} -->\n{text}\n<!-- /{name} -->\n" in scripts.PAGE.read_text()
    assert all(backend in text for backend in ours)
    assert (tmp_path / "cost.png").exists() == (name == "scaling")


def test_the_parts_of_a_step_and_the_share_beside_the_core(run, green, scripts, capsys):
    run.main(["parts", "--rounds", "2", "--publish"])
    (row,) = json.loads((scripts.RECORDS / "parts.json").read_text())["rows"]
    assert row["training"] == "a training"
    assert all(milliseconds > 0 for milliseconds in row["parts"].values())
    share = 1 - row["parts"]["core"] / sum(row["parts"].values())
    assert capsys.readouterr().out.split("\n\nMeasured on")[0].endswith(f"| {100 * share:.0f} % |")


@pytest.mark.slow
def test_the_routes_of_products_and_the_rule(run, green, scripts, capsys, monkeypatch):
    monkeypatch.setattr(run.routes, "SHAPES", ((2, 3, 3), (2048, 64, 64)))
    monkeypatch.setattr(run.routes, "MULTIPLICATIONS", 1)
    run.main(["routes", "--rounds", "1", "--publish"])
    record = json.loads((scripts.RECORDS / "routes.json").read_text())
    assert [row["product"] for row in record["rows"]] == 2 * ["layer", "input gradient", "weight gradient"]
    small, large = capsys.readouterr().out.split("\n| 2")[1:]
    assert "**" not in small
    assert large.count("**") == 4, "the weight's gradient is too small"


def test_the_tables_follow_from_the_record(run):
    times = {"PyTorch port": [1, 12.0, 13], "eager": [1, 4.0, 5], "eager, bfloat16": [1, 2.0, 3]}
    shared = {"threads": 1, "auto": "eager"}
    few = dict(list(times.items())[:2])
    rows = [
        shared | {"sizes": [1, 2, 3, 4, 5, 6], "limit": 2.0, "gflops": 240.0, "milliseconds": times},
        shared | {"sizes": [2] * 6, "limit": 1.0, "gflops": 256.0, "milliseconds": few},
    ]
    record = {"ours": ["eager", "eager, bfloat16"], "gflops": {"1": {"a": 100.0, "b": 250.0}}}
    text = run.speed.table(record | {"missing": {"other": "no compiler"}, "rows": rows})
    assert text.startswith('`backend="auto"` takes eager.')
    assert "product (b) in the same rounds, 240 to 256 GFLOP/s" in text
    assert "a 100, b 250." in text
    assert "| 1, 2, 3, 4, 5, 6 | 12.0 | 4.00 | 2.00 | 2.00 |" in text
    assert "| 2, 2, 2, 2, 2, 2 | 12.0 | 4.00 | - | 1.00 |" in text
    assert "| geometric mean | 3.00 | 2.83 |" in text
    assert "bfloat16 make eager 2.00 times faster than float32 at (1, 2, 3, 4, 5, 6)." in text
    assert "other could not run: no compiler." in text


@pytest.mark.parametrize("passes", [pytest.param(True, marks=pytest.mark.slow), False])
def test_red_parity_tests_stop_everything(run, scripts, monkeypatch, tmp_path, capfd, passes):
    test = tmp_path / "test_parity.py"
    test.write_text(f"def test_parity():\n    assert {passes}\n")
    monkeypatch.setattr(scripts, "PARITY", (str(test),))
    measured = run.Benchmark(lambda rounds, port: {"rows": [rounds]}, lambda record: str(record["rows"]))
    monkeypatch.setitem(run.BENCHMARKS, "speed", measured)
    if passes:
        run.main(["speed", "--rounds", "7"])
    else:
        with pytest.raises(SystemExit, match="the parity tests do not pass: nothing is timed"):
            run.main(["speed", "--rounds", "7", "--publish"])
    assert ("[7]" in capfd.readouterr().out) == passes
    assert not scripts.RECORDS.exists()


def test_the_parity_tests_are_there(scripts):
    for place in scripts.PARITY:
        assert list((scripts.ROOT / place).glob("test_*.py"))


def test_a_backend_that_differs_is_not_reported(run, green, monkeypatch):
    from relational_rnn.kernels import eager

    step = eager.step
    monkeypatch.setattr(eager, "step", lambda *args, **more: (step(*args, **more)[0] * 1.02, None))
    with pytest.raises(RuntimeError, match=r"eager at 2, 3, 5, 4, 3, 2: outputs differs by .* nothing is"):
        run.main(["speed", "--rounds", "1"])


def test_unknown_names(run, capsys):
    with pytest.raises(SystemExit):
        run.main(["sped"])
    assert "there is no benchmark sped; there are speed, streaming" in capsys.readouterr().err


def test_the_page_equals_its_records(run, scripts):
    page = PAGE.read_text()
    for name in run.BENCHMARKS:
        assert f"<!-- {name} -->" in page
        path = RECORDS / f"{name}.json"
        if path.exists():
            text = run.as_text(name, json.loads(path.read_text()))
            assert scripts.fill(page, name, text) == page, "run python benchmarks/run.py --pages"
