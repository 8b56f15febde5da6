"""What the docs say is so: snippets run, links lead somewhere, commands exist."""

import importlib.util
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytestmark = pytest.mark.smoke
ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("course/**/*.md")),
]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, place in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not place or place in anchors(linked), f"{page.name} links to {target}#{place}"
    names = re.findall(r"\[([\w/.-]+\.md)\]\(", page.read_text())
    assert not names, f"{page.name} names files where words would say what is linked: {names}"


def anchors(page):
    """The names that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_diagrams_need_no_network_and_have_a_text():
    used = {}
    for page in PAGES:
        assert "```mermaid" not in page.read_text(), f"{page.name}: a browser would load a program to draw it"
        for text, target in re.findall(r"!\[([^]]*)\]\((diagrams/[^)]*)\)", page.read_text()):
            used[page.parent / target] = text
    assert used.keys() == {*ROOT.glob("docs/**/*.svg")}
    for path, text in used.items():
        drawing = ElementTree.parse(path).getroot()
        assert len(text.split()) > 8, f"{path.name} is not described"
        assert "prefers-color-scheme: dark" in path.read_text()
        links = re.findall(r"(?:href=|url\(|src=|@import).", path.read_text())
        assert set(links) == {"url(#"}, f"{path.name} loads something"
        assert float(drawing.get("width")) <= 480, f"{path.name} is too wide to be read on a phone"


@pytest.mark.torch
def test_the_readme_snippet_learns(capsys):
    torch = pytest.importorskip("torch")
    (snippet,) = blocks(ROOT / "README.md", "python")
    torch.manual_seed(0)
    scope = {}
    exec(snippet, scope)
    assert scope["outputs"].shape == (64, 4, 4 * 64)
    assert scope["memory"].shape == (64, 4, 64)
    accuracies = re.findall(r"accuracy (\d+)%", capsys.readouterr().out)
    assert len(accuracies) == 5
    assert int(accuracies[-1]) >= 90


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter, about itself
def test_the_snippets_on_the_layer_run(capsys):
    pytest.importorskip("torch")
    scope = {}
    for snippet in blocks(ROOT / "docs" / "layer.md", "python"):
        exec(snippet, scope)
    first, second = capsys.readouterr().out.split()
    assert first == "eager"
    assert second in ("native", "fused")
    assert scope["exported"].graph


def test_the_snippet_on_the_hybrid_runs():
    (snippet,) = blocks(ROOT / "docs" / "hybrid.md", "python")
    draw = np.random.default_rng(0).standard_normal
    scope = {"sequence": draw((7, 4, 5)), "more": draw((7, 3, 5)), "x": draw((7, 5))}
    exec(snippet, scope)
    assert scope["trace"].attention.shape == (7, 4, 1, 2, 3, 3)
    assert scope["memory"].shape == (7, 3, 8)


@pytest.mark.torch
def test_the_snippets_on_ones_own_data_run_and_learn(monkeypatch, tmp_path):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    scope = {}
    for snippet in blocks(ROOT / "docs" / "your_data.md", "python")[:-3]:
        exec(snippet, scope)
    assert scope["accuracy"] > 0.5  # a guess has a third
    assert scope["step_accuracy"] > 0.8
    assert scope["error"] < 0.7  # the mean has 1
    assert scope["packed_accuracy"] > 0.7
    assert scope["loss"].item() < 0.3
    for name, value in scope["both"].state_dict().items():
        assert value.equal(scope["both_again"].state_dict()[name])
    for name, value in scope["model"].state_dict().items():
        assert value.equal(scope["model_again"].state_dict()[name])


def test_the_snippets_on_ones_own_data_in_numpy_run_and_learn(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    scope = {}
    for snippet in blocks(ROOT / "docs" / "your_data.md", "python")[-3:]:
        exec(snippet, scope)
    assert scope["numpy_accuracy"] > 0.7  # a guess has half
    assert scope["numpy_error"] < 0.1  # the mean has 0.4
    assert scope["numpy_loss"] < 0.3


@pytest.mark.torch
def test_the_snippet_on_the_language_model_runs(capsys):
    pytest.importorskip("torch")
    (snippet,) = blocks(ROOT / "docs" / "language.md", "python")
    exec(snippet, {})
    assert capsys.readouterr().out == "torch.Size([8, 1, 1000])\n"


@pytest.mark.torch
def test_the_snippet_on_the_adapter_runs():
    torch = pytest.importorskip("torch")
    (snippet,) = blocks(ROOT / "docs" / "adapter.md", "python")
    scope = {}
    exec(snippet, scope)
    assert scope["hidden"].shape == (2, 16, 64)
    assert scope["memory"].shape == (2, 8, 64)
    alone = scope["chunk"]
    mask = torch.nn.Transformer.generate_square_subsequent_mask(16)
    for block in scope["blocks"]:
        alone = block(alone, mask, is_causal=True)
    assert alone.equal(scope["hidden"])  # it changes nothing at first


@pytest.mark.torch
def test_the_snippets_for_users_of_r2gen_run(monkeypatch, tmp_path, capsys):
    torch = pytest.importorskip("torch")
    from relational_rnn.interop.r2gen import ConditionalLayerNorm, R2GenMemory, export_r2gen

    monkeypatch.chdir(tmp_path)
    place = "encoder_decoder.model.decoder.layers.0.sublayer.0.norm."
    norm = {f"{place}{name}": x for name, x in ConditionalLayerNorm().state_dict().items()}
    weights = norm | export_r2gen(R2GenMemory())  # names and sizes of R2Gen's own checkpoints
    torch.save({"epoch": 3, "state_dict": weights}, "model_best.pth")
    scope = {}
    for snippet in blocks(ROOT / "docs" / "r2gen.md", "python"):
        exec(snippet, scope)
    (sizes,) = capsys.readouterr().out.splitlines()
    assert scope["features"].shape == (1, 20, 512)
    assert scope["outputs"].shape == (2, 60, 1536)
    assert len(sizes.split(",")) == 2


def test_commands_in_the_docs_parse():
    from relational_rnn.cli.commands import COMMANDS
    from relational_rnn.cli.train import parse
    from relational_rnn.tasks.game_registry import is_trainable

    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    commands = [shlex.split(line.split("#")[0].split("|")[0]) for line in lines]
    ours = [command for command in commands if command[:1] == ["relational-rnn"]]
    assert len(ours) > 8
    for _, name, *arguments in ours:
        assert name in COMMANDS
        if name != "train" or "--config" in arguments:
            continue
        if not is_trainable(arguments[0]):
            assert parse(arguments[0], arguments[1:])
        elif importlib.util.find_spec("popgym" if arguments[0].startswith("popgym:") else "gymnasium"):
            from relational_rnn.cli.agents import read

            assert read(arguments[0], arguments[1:])


def test_readme_commands_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test", "lint"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_snippets_on_games_run(capsys):
    pytest.importorskip("gymnasium")
    scope = {}
    for snippet in blocks(ROOT / "docs" / "reinforcement_learning.md", "python")[:-4]:
        exec(snippet, scope)
    assert scope["observations"].shape == (64, 3, 14, 14)
    assert scope["pictures"].shape == (16, 3, 14, 14)
    printed = capsys.readouterr().out
    assert "level 1  power 0  step 1" in printed
    assert "(16, 3, 5, 5) (16, 3) (16, 2)\n" in printed
    assert scope["observation"].shape == (3, 5, 5)
    assert scope["rewards"].shape == (64,)


@pytest.mark.torch
def test_the_snippet_on_recurrent_ppo_learns():
    torch = pytest.importorskip("torch")
    pytest.importorskip("gymnasium")
    torch.manual_seed(0)
    scope = {}
    ppo, trained = blocks(ROOT / "docs" / "reinforcement_learning.md", "python")[-4:-2]
    exec(ppo, scope)
    assert scope["recalled"] > 0.9  # chance is a quarter
    exec(trained, scope)
    assert scope["episode"].attention.shape[1:] == (1, 2, 4, 5)


@pytest.mark.slow
@pytest.mark.torch
def test_the_snippet_on_stable_baselines_runs():
    pytest.importorskip("sb3_contrib")
    scope = {}
    exec(blocks(ROOT / "docs" / "reinforcement_learning.md", "python")[-2], scope)
    assert scope["actions"].shape == (8,)
