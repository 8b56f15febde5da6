"""The language model in transformers: the cache is its memory, padding changes nothing, it can be shared."""

import importlib
import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import relational_rnn  # noqa: E402
from relational_rnn.nn import LSTM, LanguageModel, RelationalMemory  # noqa: E402
from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.tasks.language.source import Piece  # noqa: E402
from relational_rnn.tasks.language.vocabulary import UNITS, build_vocabulary  # noqa: E402
from relational_rnn.training import run as runs  # noqa: E402
from relational_rnn.training.config import with_values  # noqa: E402
from relational_rnn.training.run_folder import RunFolder  # noqa: E402

TEXT = "Anna takes the lamp . Ben sees Anna .\n\nÄrger ☃ und 🐌 .\tx  y\n  the lamp sees Ben\n" * 5
SIZES = dict(vocab_size=20, embedding_size=6, mem_slots=2, head_size=4, num_heads=2)
VARIANTS = {
    "plain": {},
    "tied": dict(tie_word_embeddings=True, initial_memory="random", head_layers=1, head_units=5),
    "adaptive": dict(cut_offs=[5, 10], initial_memory="trainable", read_head="attention", num_blocks=2),
}
some_variants = pytest.mark.parametrize(
    "variant", ["plain", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tied", "adaptive"))]
)


@pytest.fixture(scope="module")
def hf():
    """The module; whoever collects these tests need not wait for transformers."""
    pytest.importorskip("transformers")
    return importlib.import_module("relational_rnn.interop.hf")


@pytest.fixture
def make(hf):
    def make(**options):
        torch.manual_seed(0)
        model = hf.RelationalLM(hf.RelationalConfig(**SIZES | options)).eval()
        with torch.no_grad():  # scores that stand apart
            for parameter in model.parameters():
                parameter.mul_(3.0)
        return model

    return make


def draw(*shape):
    return torch.randint(SIZES["vocab_size"], shape, generator=torch.Generator().manual_seed(1))


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def read_lengths(model):
    """How many tokens each call reads from now on."""
    lengths = []
    model.get_input_embeddings().register_forward_hook(
        lambda layer, inputs, output: lengths.append(inputs[0].shape[1])
    )
    return lengths


@torch.no_grad()
def test_generate_reads_each_token_once(make):
    model, prompt = make(), draw(3, 5)
    written = prompt
    for _ in range(6):
        written = torch.cat([written, model(written).logits[:, -1].argmax(-1, keepdim=True)], 1)
    lengths = read_lengths(model)
    options = dict(do_sample=False, return_dict_in_generate=True)
    found = model.generate(prompt, max_new_tokens=6, **options)
    assert found.sequences.equal(written)
    assert lengths == [5, 1, 1, 1, 1, 1]
    # and goes on later, from the memory and the one token that it has not read
    part = model.generate(prompt, max_new_tokens=2, **options)
    rest = model.generate(part.sequences[:, -1:], state=part.cache, max_new_tokens=4, do_sample=False)
    assert torch.cat([part.sequences, rest[:, 1:]], 1).equal(written)


@torch.no_grad()
def test_the_memory_follows_its_beam(make):
    model, prompt = make(), draw(3, 4)
    options = dict(max_new_tokens=8, num_beams=4, num_return_sequences=2, do_sample=False)
    found = model.generate(prompt, **options)
    assert found.equal(model.generate(prompt, use_cache=False, **options))  # reads all beams anew
    assert not found[::2].equal(model.generate(prompt, max_new_tokens=8, do_sample=False))
    _, state = draw(3, 2), model(draw(3, 2)).state
    assert model.generate(prompt, state=state, **options).equal(
        model.generate(prompt, state=state, use_cache=False, **options)
    )


@torch.no_grad()
def test_sampling_has_a_seed(make):
    model, prompt = make(), draw(2, 3)
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(model.generate(prompt, max_new_tokens=12, do_sample=True, top_k=10, temperature=2.0))
    assert found[0].equal(found[1])
    assert not found[0].equal(found[2])


@torch.no_grad()
def test_padded_steps_change_nothing(make):
    model, tokens = make(initial_memory="random"), draw(4, 6)
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 1, 1, 0, 1], [0] * 6])
    before = model(draw(4, 3)).state
    for state in (None, before):
        found = model(tokens, attention_mask=mask, state=state)
        for row, kept in enumerate(mask.bool()[:3]):
            own = None if state is None else state[row : row + 1]
            alone = model(tokens[row : row + 1, kept], state=own)
            close(found.logits[row, kept], alone.logits[0])
            close(found.state[row], alone.state[0])
        start = model.model.core.initial_state(1) if state is None else state[3:]
        assert found.state[3:].equal(start)
    close(found.logits[1, 5], found.logits[1, 2])  # the last token's


@pytest.mark.parametrize("side", ["left", "right"])
@torch.no_grad()
def test_padded_prompts_are_continued_as_if_alone(make, side):
    model, tokens = make(), draw(2, 5)
    kept = slice(2, 5) if side == "left" else slice(0, 3)
    mask = torch.ones(2, 5, dtype=torch.int64)
    mask[0] = 0
    mask[0, kept] = 1
    options = dict(max_new_tokens=6, do_sample=False)
    found = model.generate(tokens, attention_mask=mask, **options)
    alone = model.generate(tokens[:1, kept], **options)
    assert found[0, 5:].equal(alone[0, 3:])
    assert found[1].equal(model.generate(tokens[1:], **options)[0])
    beams = model.generate(tokens, attention_mask=mask, num_beams=3, **options)
    assert beams[0, 5:].equal(model.generate(tokens[:1, kept], num_beams=3, **options)[0, 3:])


@some_variants
@torch.no_grad()
def test_saved_and_loaded_it_is_the_same(make, hf, variant, tmp_path):
    from transformers import AutoModelForCausalLM

    model, tokens = make(**VARIANTS[variant]), draw(3, 5)
    model.generation_config.pad_token_id = 0
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(again) is hf.RelationalLM
    assert again.config.to_diff_dict() == model.config.to_diff_dict()
    assert again(tokens).logits.equal(model(tokens).logits)
    assert again.model.core.backend_in_use == model.model.core.backend_in_use
    half = hf.RelationalLM.from_pretrained(tmp_path, dtype=torch.float64)
    assert half(tokens).logits.dtype == torch.float64
    close(half(tokens).logits.float(), model(tokens).logits)


@some_variants
def test_windows_with_a_carried_state_are_the_whole_text(make, variant):
    model, tokens = make(**VARIANTS[variant]), draw(3, 9)
    whole = model(tokens, labels=tokens)
    scores = whole.logits[:, :-1].log_softmax(-1).gather(2, tokens[:, 1:, None])
    close(whole.loss, -scores.mean())
    first = model(tokens[:, :4])
    second = model(tokens[:, 4:], state=first.state)
    close(torch.cat([first.logits, second.logits], 1), whole.logits)
    close(second.state, whole.state)
    labels = tokens.masked_fill(torch.arange(9) > 4, -100)
    summed = model(tokens, labels=labels, num_items_in_batch=6).loss
    close(summed, -scores[:, :4].sum() / 6)
    whole.loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    last = model(inputs_embeds=model.get_input_embeddings()(tokens), logits_to_keep=1, use_cache=False)
    close(last.logits, whole.logits[:, -1:])
    assert last.state is None


@pytest.mark.parametrize("variant", ["plain", "tied"])
def test_more_tokens_and_fewer(make, variant, tmp_path):
    model, tokens = make(**VARIANTS[variant]), draw(2, 5)
    before = model(tokens).logits
    model.resize_token_embeddings(23)
    after = model(tokens)
    close(after.logits[..., :20], before)
    spread = after.logits[..., 20:] - before.mean(-1, keepdim=True)
    assert spread.abs().max() < 1e-2  # as likely as the mean
    model.save_pretrained(tmp_path)
    assert model.from_pretrained(tmp_path)(tokens).logits.equal(after.logits)
    model.resize_token_embeddings(11)
    assert model(tokens.clamp(max=10)).logits.shape == (2, 5, 11)


def test_it_learns_from_padded_batches_of_a_collator(make, hf):
    """What `Trainer` does: a collator's batch, a loss over the whole batch's labels, a step."""
    from transformers import DataCollatorForLanguageModeling
    from transformers.utils.generic import find_labels

    vocabulary = build_vocabulary("characters", [Piece(TEXT, len(TEXT), True)])
    tokenizer = hf.tokenizer_of(vocabulary, pad_token="<unk>")
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    lines = [tokenizer(line) for line in TEXT.splitlines()[:8]]
    model = make(vocab_size=len(vocabulary), embedding_size=16, head_size=16).train()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    assert find_labels(type(model)) == ["labels"]
    for _ in range(12):
        batch = collate([dict(line) for line in lines])
        loss = model(**batch, num_items_in_batch=batch["labels"].ne(-100).sum()).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert [key for key in model(**batch) if key not in model.config.keys_to_ignore_at_inference] == [
        "loss",
        "logits",
    ]


@pytest.mark.slow
def test_trainer_trains_evaluates_and_resumes(hf, tmp_path):
    pytest.importorskip("accelerate")
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

    vocabulary = build_vocabulary("characters", [Piece(TEXT, len(TEXT), True)])
    tokenizer = hf.tokenizer_of(vocabulary, pad_token="<unk>")
    lines = [dict(tokenizer(line)) for line in TEXT.splitlines() if line]
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)

    def train(resume):
        torch.manual_seed(0)
        config = hf.RelationalConfig(**SIZES | dict(vocab_size=len(vocabulary), embedding_size=16))
        arguments = TrainingArguments(
            str(tmp_path),
            **dict(max_steps=20, save_steps=10, per_device_train_batch_size=4, gradient_accumulation_steps=2),
            **dict(learning_rate=2e-2, report_to=[], use_cpu=True, disable_tqdm=True, logging_steps=10),
        )
        trainer = Trainer(
            hf.RelationalLM(config), arguments, collate, train_dataset=lines, eval_dataset=lines
        )
        before = trainer.evaluate()["eval_loss"]
        trainer.train(resume_from_checkpoint=resume)
        assert trainer.evaluate()["eval_loss"] < before - 0.5
        return trainer.model.state_dict()

    whole = train(None)
    for name, value in train(str(tmp_path / "checkpoint-10")).items():
        assert value.equal(whole[name]), name


def test_a_language_model_is_taken_over(hf):
    core = RelationalMemory(6, 2, 4, 2, batch_first=True, gate_style="memory", forget_bias=0.5).double()
    for options in (dict(tied=True), dict(cut_offs=(4, 9)), dict(head_layers=2, head_units=3)):
        model = LanguageModel(core, 20, 6, **options).double().eval()
        taken = hf.RelationalLM.from_language_model(model, eos_token_id=3)
        tokens = draw(2, 5)
        features, memory = model(tokens)
        found = taken(tokens)
        close(found.logits.log_softmax(-1), model.log_probabilities(features))
        assert found.state.equal(memory)
        assert taken.generation_config.eos_token_id == 3
        assert taken.config.gate_style == "memory"
    with pytest.raises(
        TypeError, match="LanguageModel with a RelationalMemory, got LanguageModel with a LSTM"
    ):
        hf.RelationalLM.from_language_model(LanguageModel(LSTM(5, 6, batch_first=True), 9, 5))


@pytest.mark.parametrize(
    "units", [pytest.param(x, marks=pytest.mark.slow if x == "subwords" else ()) for x in UNITS]
)
def test_a_tokenizer_numbers_as_the_vocabulary_does(hf, units, tmp_path):
    from transformers import AutoTokenizer

    seen = TEXT[:300]
    size = 300 if units == "subwords" else None
    vocabulary = build_vocabulary(units, [Piece(seen, len(seen), True)], size=size)
    tokenizer = hf.tokenizer_of(vocabulary)
    tokenizer.save_pretrained(tmp_path)
    hf.RelationalConfig(vocab_size=len(vocabulary)).save_pretrained(tmp_path)
    for one in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        numbers = one(TEXT)["input_ids"]
        assert numbers == vocabulary.encode(Piece(TEXT, len(TEXT), False)).tolist()
        assert one.decode(numbers) == vocabulary.decode(numbers)
    assert len(tokenizer) == len(vocabulary)


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (dict(memory=1), TypeError, "no argument memory; the memory is its state"),
        (dict(cache=1), TypeError, "no argument cache.* the memory is its state"),
        (dict(label=1), TypeError, r"no argument label \(did you mean labels\?\)"),
        (dict(output_attentions=True), ValueError, "returns no attentions"),
        (dict(inputs_embeds=torch.zeros(2, 3, 6)), ValueError, "either input_ids or inputs_embeds"),
        (
            dict(attention_mask=torch.eye(2, 3) * -1e9),
            ValueError,
            "1 at tokens and 0 at padding, got -1e",
        ),
        (dict(attention_mask=[[1] * 3] * 2), TypeError, "attention_mask must be a tensor, got list"),
        (
            dict(labels=torch.ones(2, 2).long()),
            ValueError,
            r"labels must have the shape .*\(2, 3\), got \(2, 2\)",
        ),
        (
            dict(labels=torch.ones(2, 3)),
            TypeError,
            "labels must be a tensor of torch.int64, got torch.float32",
        ),
        (dict(labels=torch.full((2, 3), 20)), ValueError, "labels must be from 0 to 19, or -100.*20"),
        (dict(logits_to_keep=-1), ValueError, "logits_to_keep must be an integer of at least 0, got -1"),
        (dict(attention_mask=torch.ones(2, 2)), ValueError, r"attention_mask must have shape \(2, 3\).*got"),
        (dict(state=torch.zeros(1, 2, 8)), ValueError, r"state must have shape .*; got \(1, 2, 8\)"),
        (
            dict(state=torch.zeros(1, 2, 8), attention_mask=torch.eye(2, 3)),
            ValueError,
            r"state must have shape .*; got \(1, 2, 8\)",
        ),
    ],
)
def test_wrong_calls(make, call, error, told):
    with pytest.raises(error, match=told):
        make()(draw(2, 3), **call)


@pytest.mark.parametrize(
    ("tokens", "error", "told"),
    [
        (torch.tensor([[0, 20]]), ValueError, "input_ids must be from 0 to 19, got 0 to 20"),
        (torch.zeros(2, 0).long(), ValueError, r"must have shape \(B, T\), both at least 1, got \(2, 0\)"),
        (torch.zeros(2, 3), TypeError, "must be a tensor of torch.int64 or torch.int32, got torch.float32"),
    ],
)
def test_wrong_tokens(make, tokens, error, told):
    model = make()
    for call in (model, lambda tokens: model.generate(tokens, max_new_tokens=2)):
        with pytest.raises(error, match=told):
            call(tokens)
    with pytest.raises(error, match=told.replace("input_ids", "tokens")):
        model.model(tokens)


def test_with_nothing_to_score_the_loss_and_its_gradients_are_0(make):
    model, tokens = make(), draw(2, 3)
    for labels, count in ((torch.full_like(tokens, -100), None), (torch.full_like(tokens, -100), 0)):
        model.zero_grad()
        loss = model(tokens, labels=labels, num_items_in_batch=count).loss
        loss.backward()
        assert loss == 0
        assert all(p.grad is None or not p.grad.any() for p in model.parameters())
    assert model(tokens[:, :1], labels=tokens[:, :1]).loss == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, as it loads its compiler
@torch.no_grad()
def test_compiled_it_reads_padded_batches(make):
    model, tokens = make(), draw(3, 5)
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    found = torch.compile(model, backend="aot_eager")(tokens, attention_mask=mask)
    close(found.logits, model(tokens, attention_mask=mask).logits)


def test_wrong_settings(make, hf):
    for options, error, told in (
        (dict(mem_slot=2), TypeError, r"has no mem_slot \(did you mean mem_slots\?\)"),
        (dict(num_slots=2), TypeError, "num_slots is mem_slots here"),
        (dict(head_size=0), ValueError, "head_size must be an integer of at least 1, got 0"),
        (dict(gate_style="lstm"), ValueError, "gate_style must be one of"),
        (dict(treat_input_as_matrix=True), TypeError, "a token is one row"),
        (dict(backend="eager"), TypeError, "has no backend: it is chosen where the model runs"),
        (dict(dropout=0.1), TypeError, "there are input_dropout and output_dropout"),
        (dict(vocab_size=0), ValueError, "vocab_size must be an integer of at least 1, got 0"),
        (dict(vocab_size=9, cut_offs=[5, 3]), ValueError, r"must rise, from 1 to 8 \(.* 9\), got \[5, 3\]"),
        (dict(cut_offs=5), TypeError, r"must be a list or tuple of integers, got 5 \(int\)"),
        (dict(tie_word_embeddings=True, cut_offs=[5]), ValueError, r"no cut_offs, got \(5,\)"),
        (dict(input_dropout=1.5), ValueError, "input_dropout must be .* from 0.0 to 1.0, got 1.5"),
        (dict(head_layers=-1), ValueError, "head_layers must be an integer of at least 0, got -1"),
    ):
        with pytest.raises(error, match=told):
            hf.RelationalConfig(**options)
    with pytest.raises(ValueError, match="adaptive softmax"):
        make(cut_offs=[5]).resize_token_embeddings(30)


def test_the_snippets_of_the_page_run(hf):
    page = (Path(__file__).parents[2] / "docs" / "transformers.md").read_text()
    scope = {}
    for snippet in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(snippet, scope)
    assert scope["output"].state.shape == (8, 2, 64)
    assert scope["beams"].shape == (8, 25)
    assert scope["more"].shape == (8, 21)


@pytest.mark.slow
def test_a_trained_run_is_shared(hf, tmp_path):
    from transformers import pipeline

    config = with_values(
        find_recipe("language", "tiny"), {"steps": 4, "evaluate_every": 4, "seeds": 1, "models": ("rmc",)}
    )
    folder = RunFolder(tmp_path / "run")
    with folder.writing("train language", config, False):
        runs.run(config, folder, in_process=True)
    trained = relational_rnn.load(folder.path)
    hf.RelationalLM.from_language_model(trained.model).save_pretrained(tmp_path / "shared")
    hf.tokenizer_of(trained.vocabulary).save_pretrained(tmp_path / "shared")
    write = pipeline("text-generation", str(tmp_path / "shared"))
    (found,) = write("Anna", max_new_tokens=20, do_sample=False)
    assert found["generated_text"] == "Anna" + trained.generate("Anna", max_tokens=20, top_k=1)


def test_models_of_other_tasks_have_no_vocabulary():
    with pytest.raises(
        ValueError, match="only models of language have a vocabulary; this one is of nth-farthest"
    ):
        relational_rnn.load("pretrained:nth-farthest-plane").vocabulary  # noqa: B018


def test_a_memory_is_no_cache(make):
    model, tokens = make(), draw(1, 2)
    with pytest.raises(TypeError, match="takes the memory as state"):
        model.generate(tokens, cache=model(tokens).state, max_new_tokens=2)


def test_assisted_decoding_is_refused(make):
    with pytest.raises(ValueError, match="not supported with stateful models"):
        make().generate(draw(1, 3), assistant_model=make(), max_new_tokens=2)


def test_without_transformers_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "relational_rnn.interop.hf", raising=False)
    with pytest.raises(ImportError, match=r"needs transformers .* pip install 'relational-rnn\[hf\]'"):
        importlib.import_module("relational_rnn.interop.hf")
