"""Language models that write: draws, states that are kept, texts that come piece by piece, and refusals."""

import itertools
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import relational_rnn  # noqa: E402
from relational_rnn.cli.main import main  # noqa: E402
from relational_rnn.config.checks import BadFile  # noqa: E402
from relational_rnn.nn.sampling import draw_token  # noqa: E402
from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.tasks.language.vocabulary import Spelling  # noqa: E402
from relational_rnn.training import run as runs  # noqa: E402
from relational_rnn.training.arrays_file import load_arrays, save_arrays  # noqa: E402
from relational_rnn.training.config import with_values  # noqa: E402
from relational_rnn.training.run_folder import RunFolder  # noqa: E402

pytestmark = pytest.mark.torch

MODELS = ("rmc", "lstm", "transformer")
TEXT = "Anna takes the lamp . Ben sees Anna .\nÄrger ☃ und 🐌 .\n" * 200


def trained_run(path, **changes):
    values = {"steps": 4, "evaluate_every": 4, "seeds": 1, "streams": 128, "models": MODELS}
    config = with_values(find_recipe("language", "tiny"), {**values, **changes})
    folder = RunFolder(path)
    with folder.writing("train language", config, False):
        runs.run(config, folder, in_process=True)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return trained_run(tmp_path_factory.mktemp("runs") / "made")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with a text of one's own, and a run of each unit."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "book.txt").write_text(TEXT, encoding="utf-8")
    small = {"data": str(folder / "book.txt"), "models": ("rmc",), "batch_size": 4}
    found = {"words": trained_run(folder / "words", units="words", **small)}
    found["bytes"] = trained_run(folder / "bytes", units="bytes", **small)
    return folder / "book.txt", found


@settings(deadline=None, max_examples=40)
@given(
    scores=st.lists(st.integers(-20, 20), min_size=2, max_size=8, unique=True),
    temperature=st.sampled_from([0.5, 1.0, 2.0]),
    top_p=st.sampled_from([0.3, 0.8, 1.0]),
    data=st.data(),
)
def test_only_what_is_allowed_is_drawn(scores, temperature, top_p, data):
    """The kept tokens by a plain loop: the likeliest k, then from the top until they make up p."""
    top_k = data.draw(st.integers(1, len(scores)))
    found = (torch.tensor(scores) / 4).log_softmax(0)
    shares = np.exp(np.array(scores) / 4 / temperature)
    ranked = np.argsort(-shares)[:top_k]
    shares = shares[ranked] / shares[ranked].sum()
    allowed, total = [], 0.0
    for token, share in zip(ranked, shares):
        if total < top_p - 1e-9:
            allowed.append(int(token))
        total += share
    generator = torch.Generator().manual_seed(0)
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "generator": generator}
    assert {draw_token(found, **options) for _ in range(30)} <= set(allowed)


def test_draws_have_their_probabilities():
    probabilities = torch.tensor([0.5, 0.2, 0.2, 0.1])
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_token(probabilities.log(), temperature=0.5, generator=generator) for _ in range(4_000)]
    expected = (probabilities**2 / (probabilities**2).sum()).numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 4_000, expected, atol=0.03)


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_writes_the_same(made, model):
    trained = relational_rnn.load(made, model)
    first, again = (trained.generate("Anna", max_tokens=20, seed=5) for _ in range(2))
    assert first == again
    assert len(first) == 20
    assert first != trained.generate("Anna", max_tokens=20, seed=6)
    assert "<unk>" not in first


@pytest.mark.parametrize("model", ["rmc", "lstm"])
def test_it_follows_the_probabilities_of_the_model(made, model):
    """With top_k = 1 each token is the likeliest of the whole text so far, read at once."""
    trained = relational_rnn.load(made, model)
    text = "Anna takes"
    written = trained.generate(text, max_tokens=12, top_k=1)
    vocabulary = relational_rnn.tasks.language.read(trained.task).vocabulary
    numbers = [vocabulary.number_of[letter] for letter in text]
    for letter in written:
        with torch.no_grad():
            features, _ = trained.model(torch.tensor([numbers]))
        scores = trained.model.log_probabilities(features[0, -1])
        scores[vocabulary.unknown] = -torch.inf
        assert vocabulary.tokens[int(scores.argmax())] == letter
        numbers.append(vocabulary.number_of[letter])


@pytest.mark.parametrize("model", MODELS)
def test_a_state_goes_on_as_if_it_had_not_stopped(made, tmp_path, model):
    trained = relational_rnn.load(made, model)
    whole = trained.generate("Anna", max_tokens=60, seed=3)
    file = tmp_path / "state.safetensors"
    parts = [trained.generate("Anna", max_tokens=25, seed=3, state=file)]
    size = file.stat().st_size
    parts.append(relational_rnn.load(made, model).generate(max_tokens=35, state=file))
    assert "".join(parts) == whole
    if model == "transformer":
        assert len(load_arrays(file)[0]["tokens"]) <= trained.config.task.window + 1
    else:
        assert file.stat().st_size == size  # however long the text


def test_a_prompt_in_the_middle_is_read_after_what_was_written(made, tmp_path):
    trained = relational_rnn.load(made, "rmc")
    first = trained.generate("Anna", max_tokens=5, seed=3, state=tmp_path / "a")
    second = trained.generate(" sees", max_tokens=9, top_k=1, state=tmp_path / "a")
    assert second == trained.generate(f"Anna{first} sees", max_tokens=9, top_k=1)


def test_text_comes_piece_by_piece(made):
    pieces = relational_rnn.load(made, "rmc").stream("Anna", max_tokens=10**9)
    assert all(len(piece) == 1 for piece in itertools.islice(pieces, 30))


def test_words_stand_apart_and_bytes_make_characters(own):
    _, found = own
    words = relational_rnn.load(found["words"]).generate("Anna takes", max_tokens=40)
    assert words[0] in " \n"
    assert all(len(line.split(" ")) == len(line.split()) for line in words.split("\n")[1:-1])
    trained = relational_rnn.load(found["bytes"])
    vocabulary = relational_rnn.tasks.language.read(trained.task).vocabulary
    spelling = Spelling(vocabulary)
    numbers = vocabulary.encode(relational_rnn.tasks.language.source.Piece("Ä☃🐌a", 10, True))
    pieces = [spelling.spell(number) for number in numbers.tolist()]
    assert pieces == ["", "Ä", "", "", "☃", "", "", "", "🐌", "a"]
    assert spelling.spell(vocabulary.number_of["195"]) == ""
    assert spelling.rest() == "\N{REPLACEMENT CHARACTER}"


def test_a_run_writes_where_its_text_is_gone(own):
    text, found = own
    before = relational_rnn.load(found["words"]).generate("Anna", max_tokens=5)
    away = text.with_suffix(".gone")
    shutil.move(text, away)
    relational_rnn.tasks.language.read.cache_clear()
    try:
        assert relational_rnn.load(found["words"]).generate("Anna", max_tokens=5) == before
        (found["words"] / "vocabulary.json").write_text("{}")
        relational_rnn.tasks.language.read.cache_clear()
        with pytest.raises(BadFile, match=r"vocabulary.json is damaged"):
            relational_rnn.load(found["words"])
    finally:
        shutil.move(away, text)
        relational_rnn.tasks.language.read.cache_clear()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"temperature": 0}, r"temperature must be above 0 \(top_k = 1 takes the likeliest\), got 0"),
        ({"temperature": -1.0}, "temperature must be above 0"),
        ({"top_k": 35}, "top_k must be an integer of at most 34, got 35"),
        ({"top_k": 0}, "top_k must be an integer of at least 1, got 0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1, got 1.5"),
        ({"max_tokens": -1}, "max_tokens must be an integer of at least 0"),
        ({"seed": -1}, "seed must be an integer of at least 0"),
        ({"prompt": "Änna ☃☃"}, "prompt has characters that are not in the vocabulary: 'Ä', '☃'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(made, options, told):
    with pytest.raises(ValueError, match=told):
        relational_rnn.load(made, "rmc").stream(**options)


def test_a_state_of_another_model_is_refused(made, tmp_path):
    file = tmp_path / "state"
    relational_rnn.load(made, "lstm").generate(max_tokens=3, state=file)
    with pytest.raises(BadFile, match="holds the state of another model, or none; name another file"):
        relational_rnn.load(made, "rmc").stream(state=file)
    arrays, notes = load_arrays(file)
    for name, value in (("tokens", np.array([99])), ("memory.0", np.zeros(3, np.float32))):
        save_arrays(file, arrays | {name: value}, notes)
        with pytest.raises(BadFile, match="holds no state of this model"):
            relational_rnn.load(made, "lstm").stream(state=file)


def test_models_of_other_tasks_do_not_write():
    with pytest.raises(ValueError, match="only models of language write text; this one is of nth-farthest"):
        relational_rnn.load("pretrained:nth-farthest-plane").generate()


def test_the_command(made, tmp_path, capsys):
    state = tmp_path / "state.safetensors"
    words = ["generate", str(made), "--model", "rmc", "--max-tokens", "30", "--temperature", "0.8"]
    assert main([*words, "--prompt", "Anna", "--top-k", "5", "--top-p", "0.9", "--state", str(state)]) == 0
    first = capsys.readouterr().out
    assert first.startswith("Anna")
    assert len(first) == len("Anna") + 30 + 1
    assert main([*words, "--state", str(state)]) == 0
    assert len(capsys.readouterr().out) == 31
    assert main(["generate", str(made)]) == 2
    assert "which model?" in capsys.readouterr().err
    assert main([*words, "--top-k", "99"]) == 2
    assert "top_k must be an integer of at most 34, got 99" in capsys.readouterr().err
    assert main(["generate", "pretrained:nth-farthest-plane"]) == 2
    assert "only models of language write text" in capsys.readouterr().err
