"""R2Gen's checkpoints: found, checked, given back; and its decoding with a memory that is carried."""

import copy
import re

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from helpers.like_r2gen import HEADS, WORDS, D, EncoderDecoder, N, make_memory  # noqa: E402
from helpers.model_zoo import draw  # noqa: E402
from relational_rnn.interop.r2gen import (  # noqa: E402
    PREFIX,
    ConditionalLayerNorm,
    carry_memory,
    export_r2gen,
    load_r2gen,
)
from relational_rnn.nn import RelationalMemory  # noqa: E402
from tolerances import assert_close  # noqa: E402

B, T = 2, 5


def checkpoint(memory, **others):
    """A state dict as R2Gen saves one: the memory among the rest of the model."""
    norm = ConditionalLayerNorm(D, N, D, dtype=torch.float64)
    place = "encoder_decoder.model.decoder.layers.0.sublayer.2.norm."
    rest = {f"{place}{name}": x for name, x in norm.state_dict().items()}
    rest["encoder_decoder.model.decoder.layers.0.self_attn.linears.3.weight"] = torch.zeros(D, D)
    return {**rest, **export_r2gen(memory), **others}


def test_a_checkpoint_is_loaded_and_given_back():
    memory = make_memory()
    state_dict = checkpoint(memory)
    loaded = load_r2gen(state_dict, HEADS)  # the layer norms say how many slots there are
    assert (loaded.d_model, loaded.num_slots, loaded.num_heads) == (D, N, HEADS)
    assert not loaded.training
    assert loaded.qkv.weight.dtype == torch.float64
    x = draw(B, T, D)
    assert loaded(x)[0].equal(memory(x)[0])
    exported = export_r2gen(loaded)
    assert exported.keys() <= state_dict.keys()
    assert all(x.equal(state_dict[name]) for name, x in exported.items())
    with torch.no_grad():  # copies, both ways
        for x in exported.values():
            x.zero_()
        loaded.qkv.weight.zero_()
    assert memory.qkv.weight.any()
    assert state_dict[f"{PREFIX}attn.linears.0.weight"].any()


def test_the_names_are_r2gens():
    shapes = {name: tuple(x.shape) for name, x in export_r2gen(make_memory(), prefix="").items()}
    square = {f"{name}.{leaf}" for name in ("mlp.0", "mlp.2") for leaf in ("weight", "bias")}
    square |= {f"attn.linears.{i}.{leaf}" for i in range(4) for leaf in ("weight", "bias")}
    assert shapes.keys() == square | {"W.weight", "W.bias", "U.weight", "U.bias"}
    for name, shape in shapes.items():
        rows = D if name in square else 2 * D
        assert shape == ((rows, D) if name.endswith("weight") else (rows,))


@pytest.mark.parametrize("prefix", ["", "rm.", "module." + PREFIX])
def test_any_prefix_is_found(prefix):
    memory = make_memory()
    loaded = load_r2gen(export_r2gen(memory, prefix=prefix), HEADS, N)
    assert loaded.gate_memory.weight.equal(memory.gate_memory.weight)


def test_of_two_memories_one_is_chosen():
    two = export_r2gen(make_memory(0), prefix="a.") | export_r2gen(make_memory(1), prefix="b.")
    with pytest.raises(ValueError, match=r"several memories of R2Gen: choose one by prefix, \['a.', 'b.'\]"):
        load_r2gen(two, HEADS, N)
    assert load_r2gen(two, HEADS, N, prefix="b.").qkv.weight.equal(make_memory(1).qkv.weight)


def changed(name, x):
    return lambda: load_r2gen(checkpoint(make_memory(), **{f"{PREFIX}{name}": x}), HEADS)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: load_r2gen({}, HEADS), ValueError, "RelationalMemory, holds none$"),
        (
            lambda: load_r2gen({"epoch": 3, "state_dict": checkpoint(make_memory())}, HEADS),
            ValueError,
            "holds none; hand over its entry 'state_dict'",
        ),
        (lambda: load_r2gen(export_r2gen(make_memory()), HEADS), ValueError, "num_slots must be given"),
        (
            lambda: load_r2gen(checkpoint(make_memory()), HEADS, 4),
            ValueError,
            r"num_slots and all conditional layer norms must agree, got \[3.0, 4\] slots",
        ),
        (
            lambda: load_r2gen(checkpoint(make_memory()), 3),
            ValueError,
            "num_heads must divide d_model = 8, got 3",
        ),
        (lambda: load_r2gen(checkpoint(make_memory()), 2.0), TypeError, "num_heads must be an integer"),
        (changed("W.extra", torch.zeros(1)), ValueError, r"missing \[\], unknown \['W.extra'\]"),
        (
            changed("mlp.2.bias", torch.zeros(D + 1)),
            ValueError,
            r"rm.mlp.2.bias must have shape \(8,\), got \(9,\)",
        ),
        (
            changed("attn.linears.1.weight", torch.zeros(D, 1)),
            ValueError,
            r"linears.1.weight must have shape \(8, 8\), got \(8, 1\)",
        ),
        (changed("W.weight", torch.zeros(D)), ValueError, r"W.weight must have shape \(2 D, D\), got \(8,\)"),
        (changed("U.bias", [0.0]), TypeError, "U.bias must be a torch.Tensor, got list"),
        (lambda: export_r2gen(nn.Linear(2, 2)), TypeError, "must be an R2GenMemory, got Linear"),
        (
            lambda: carry_memory(nn.Linear(2, 2)),
            TypeError,
            "R2Gen's EncoderDecoder, got Linear without core, model.decode",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# R2Gen's decoding


def beam_search(decoder, image, beams, length):
    """Scores and words; the state's rows are picked along its second axis, as R2Gen's beam search does."""
    state, words = [], torch.zeros(beams, 1, dtype=torch.int64)
    scores = torch.tensor([0.0] + [-1e3] * (beams - 1), dtype=torch.float64)
    for _ in range(length):
        features, state = decoder.core(words[:, -1], None, None, image.expand(beams, -1, -1), state, None)
        found = (scores[:, None] + (features @ decoder.model.tgt_embed.weight.T).log_softmax(-1)).flatten()
        scores, best = found.topk(beams)
        rows = best // WORDS
        state = [part[:, rows] for part in state]
        words = torch.cat([words[rows], best[:, None] % WORDS], 1)
    return scores, words


def test_decoding_carries_the_memory_and_finds_the_same():
    torch.manual_seed(0)
    theirs = EncoderDecoder().eval()
    ours = copy.deepcopy(theirs)
    memory = carry_memory(ours)
    assert memory is ours.model.rm
    assert memory.dropout == 0.25
    image, length = draw(1, 4, D), 9
    with torch.no_grad():
        for beams in (1, 3):
            theirs.model.rm.steps, steps = 0, []
            hook = memory.register_forward_pre_hook(
                lambda _, given, steps=steps: steps.append(given[0].shape[1])
            )
            expected, found = (beam_search(one, image, beams, length) for one in (theirs, ours))
            hook.remove()
            assert found[1].equal(expected[1])
            assert_close(found[0], expected[0])
            assert theirs.model.rm.steps == length * (length + 1) // 2  # from the first token every time
            assert steps == [1] * length
        words = torch.tensor([[1, 2, 3], [4, 5, 6]])
        visible = torch.ones(1, 3, 3).tril()
        given = image.expand(2, -1, -1), None, words, visible
        assert_close(ours.model.decode(*given), theirs.model.decode(*given))


def test_the_authors_core_takes_its_place():
    model = EncoderDecoder().eval()
    carry_memory(model)
    model.model.rm = RelationalMemory(D, N, 4, 2, batch_first=True, dtype=torch.float64)
    scores, words = beam_search(model, draw(1, 4, D), 3, 5)
    assert words.shape == (3, 6)
    given = draw(1, 4, D), None, words[:1], torch.ones(1, 6, 6).tril()
    all_at_once = (model.model.decode(*given) @ model.model.tgt_embed.weight.T).log_softmax(-1)[0]
    assert_close(scores[0].detach(), all_at_once[torch.arange(5), words[0, 1:]].sum().detach())


def test_a_copy_of_it_is_another():
    one = EncoderDecoder()
    memory = carry_memory(one)
    assert memory.training
    two = copy.deepcopy(one).eval()
    with torch.no_grad():
        two.model.rm.gate_input.bias.add_(1)
    given = torch.tensor([3]), None, None, draw(1, 4, D), [], None
    one.eval()
    assert not two.core(*given)[0].equal(one.core(*given)[0])


def test_a_model_without_a_part_is_left_as_it_is():
    broken = EncoderDecoder()
    broken.model.rm.attn.dropout = nn.Identity()
    before = broken.model.rm
    with pytest.raises(TypeError, match=re.escape("without model.rm.attn.dropout.p")):
        carry_memory(broken)
    assert broken.model.rm is before
