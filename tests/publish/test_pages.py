"""Pages hold what their records say, and the manifest says which: nothing is left over on either side."""

import doctest
import json
import re
import shlex

import pytest

from relational_rnn.training.run_folder import leaves_of
from tools.publish import figures, pages, records, text
from tools.publish.__main__ import main
from tools.publish.manifest import FIGURES, MANIFEST, OPPONENTS, Group
from tools.publish.pages import PAGES, fill, generated_parts
from tools.publish.records import (
    DEFAULTS,
    RECORDS,
    RESULTS,
    command,
    config_of,
    experiment_of,
    heeded,
    read_group,
)
from tools.publish.tables import TABLES, write_table


@pytest.fixture(scope="module")
def parts():
    return generated_parts()


def test_pages_equal_their_records(parts, tmp_path):
    for page in PAGES:
        copy = tmp_path / page.name
        copy.write_text(page.read_text())
        fill(copy, parts)
        assert copy.read_text() == page.read_text(), f"{page.name}: run python -m tools.publish pages"


def test_pages_hold_findings_and_pages_of_tables_the_rest():
    for page in RESULTS.glob("*.md"):
        lines = page.read_text().count("\n")
        assert lines <= 150, f"{page.name} has {lines} lines: move tables to docs/results/tables"


def test_every_table_has_a_place(parts):
    places = [place for page in PAGES for place in re.findall(r"<!-- ([^/].*?) -->", page.read_text())]
    assert set(places) == parts.keys()


def test_every_record_is_shown():
    shown = {name for group in MANIFEST.values() for name in group.records}
    assert shown == {path.stem for path in RECORDS.glob("*.json")}
    assert {group.kind for group in MANIFEST.values()} == TABLES.keys()


def test_every_figure_is_shown():
    shown = {name for page in PAGES for name in re.findall(r"\(.*?figures/([^)]+)", page.read_text())}
    known = {f"{name}_{figure}.png" for figure, names in FIGURES.items() for name in names}
    assert known < shown
    others = {
        *(f"{OPPONENTS}_training_curves.png", "why_the_ports_stay.png"),
        "recall_and_tracking.png",
    }
    assert {name for name in shown - known if not name.startswith("pretrained-")} == others
    assert all((figures.FOLDER / name).exists() for name in shown)


@pytest.mark.parametrize("module", [records, text])
def test_examples_in_the_docstrings(module):
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed


def test_a_place_that_nothing_fills(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- a b -->\nold\n<!-- /a b -->\n")
    fill(page, {"a b": "new"})
    assert page.read_text() == "<!-- a b -->\nnew\n<!-- /a b -->\n"
    with pytest.raises(ValueError, match=r"page.md has the place 'a b', which nothing in the manifest fills"):
        fill(page, {})


def test_tables_that_are_not_there():
    with pytest.raises(ValueError, match=r"kind 'reasoning' shows overview, got 'kinds'"):
        write_table(MANIFEST["reasoning"], "kinds")
    with pytest.raises(ValueError, match=r"copy has nothing for this table"):
        write_table(MANIFEST["copy"], "kinds")
    with pytest.raises(FileNotFoundError, match=r"none.json"):
        write_table(Group("supervised", ("none",), ("summary",)), "summary")


@pytest.mark.parametrize("group", MANIFEST.values(), ids=MANIFEST)
def test_published_commands_make_the_recorded_settings(group, monkeypatch):
    from relational_rnn.cli.ablate import Ablate
    from relational_rnn.cli.experiment import resolve
    from relational_rnn.cli.factors import parse_factors, refuse_overrides
    from relational_rnn.cli.sweep import Sweep
    from relational_rnn.cli.train import parse

    # Where stories or texts are missing, others would be made, or these fetched.
    monkeypatch.setattr("relational_rnn.cli.run.find_files", lambda config: config)
    for record in read_group(group):
        _, verb, task, *arguments = shlex.split(command(record))
        if verb in ("ablate", "sweep"):
            kind = Ablate if verb == "ablate" else Sweep
            options = resolve(verb, [task, *arguments], kind, **DEFAULTS[verb])[1]
            factors = parse_factors(task, options.run, [word for word in options.over if word != "all"])
            refuse_overrides(options.run, factors)
            assert factors.keys() <= experiment_of(record)["factors"].keys()
        else:
            options = parse(task, arguments, command=verb, defaults=DEFAULTS.get(verb))
        made, recorded = leaves_of(options.run), leaves_of(config_of(record))
        for values in (made, recorded):
            values["overrides"] = heeded(values["overrides"], values["models"])
        assert made == recorded, record.name


def finished(folder, command="train sorting"):
    (folder / "plots").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"command": command}))
    for part in ("results", "memory"):
        (folder / f"{part}.json").write_text(json.dumps({"of": part}))
    curve = [{"model": "rmc-0", "examples": 64, "seconds": 1.23456789, "validation_accuracy": 0.5}]
    loss = [{"model": "rmc-0", "step": 3, "loss": 1.0}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in loss + curve))
    for figure in ("accuracy_test", "nobody_shows_it"):
        (folder / "plots" / f"{figure}.png").write_text("drawn")
    return folder


@pytest.mark.parametrize(
    ("name", "command", "line"),
    [
        ("new", "train sorting", 'Group("supervised", ("new",), ("summary",))'),
        ("new", "train nth-farthest", 'Group("training", ("new",), ("seeds",))'),
        ("new", "ablate sorting --over patience=3", 'Group("ablation", ("new",), ("overview",))'),
        ("sorting", "train sorting", ""),
    ],
)
def test_a_run_is_added(tmp_path, monkeypatch, name, command, line):
    monkeypatch.setattr(records, "RECORDS", tmp_path)
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    run = finished(tmp_path / "run", command)
    told = records.add_record(name, run)
    assert line in told
    assert bool(told) == (name == "new")
    record = json.loads((tmp_path / f"{name}.json").read_text())
    assert record["memory"] == {"of": "memory"}
    point = {"examples": 64, "seconds": 1.23457, "validation_accuracy": 0.5}
    assert record.get("evaluations") == ({"rmc-0": [point]} if command.startswith("train") else None)
    figures.copy_figures(name, run)
    assert [path.name for path in tmp_path.glob("*.png")] == ([] if told else ["sorting_accuracy_test.png"])


def test_what_shows_a_record_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    figures.draw("ablation-norms-quick")
    figures.draw("sorting")
    figures.draw("paper8x16-0")
    assert {path.name for path in tmp_path.iterdir()} == {
        "ablation-norms-quick_layer_norm_placement.png",
        "sorting_accuracy_test.png",
        *(f"paper8x16-0_{figure}.png" for figure in ("training_curves", "mistakes", "slot_contents")),
    }


def test_figures_of_several_records(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    figures.draw("compare-paper8x16-0-dnc")
    figures.draw("ablation-port")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{OPPONENTS}_training_curves.png",
        "why_the_ports_stay.png",
    }


@pytest.mark.parametrize("command", ["add", "draw", "pages"])
def test_every_command_writes_the_pages(tmp_path, monkeypatch, capsys, command):
    done = []
    monkeypatch.setattr(records, "RECORDS", tmp_path)
    monkeypatch.setattr(figures, "draw", lambda name=None: done.append(name))
    monkeypatch.setattr(figures, "draw_pretrained", lambda: done.append("pretrained"))
    monkeypatch.setattr(pages, "write_pages", lambda: done.append("pages"))
    arguments = ["new", str(finished(tmp_path / "run"))] if command == "add" else []
    monkeypatch.setattr("sys.argv", ["publish", command, *arguments])
    main()
    assert done == {"add": ["new"], "draw": ["pretrained", None], "pages": []}[command] + ["pages"]
    assert ("No page shows new." in capsys.readouterr().out) == (command == "add")
