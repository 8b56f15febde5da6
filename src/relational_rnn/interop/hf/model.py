"""A language model with a relational memory core as a model of `transformers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_utils import slice_logits_to_keep
from transformers.utils import ModelOutput

from relational_rnn.config.checks import check_size, did_you_mean
from relational_rnn.interop.hf.configuration import OPTIONS, RelationalConfig
from relational_rnn.nn.initialise import initialise_linear_
from relational_rnn.nn.language_model import START, LanguageModel
from relational_rnn.nn.relational_memory import RelationalMemory

LOSS_ARGUMENTS: Final = ("num_items_in_batch", "shift_labels", "ignore_index")
"""What `forward` hands on to the loss of `transformers`."""

NOT_USED: Final = ("position_ids", "token_type_ids")
"""What tokenizers and `generate` may add: a recurrent model has no use for it."""


@dataclass
class RelationalLMOutput(ModelOutput):  # type: ignore[misc]
    """What a `RelationalLM` returns: an output of `transformers` with a state instead of keys and values.

    Example:
        >>> logits = torch.zeros(2, 5, 100)  # B, T, V
        >>> RelationalLMOutput(logits=logits, state=torch.zeros(2, 4, 64)).state.shape
        torch.Size([2, 4, 64])
    """

    loss: Tensor | None = None
    """Mean of -ln p of the labels, in nats; None without labels."""
    logits: Tensor | None = None
    """(B, T, V), before the softmax (of the adaptive one ln p)."""
    state: Tensor | None = None
    """(B, N, D), the memory after the last token."""
    hidden_states: tuple[Tensor, ...] | None = None
    """What the softmax reads, (B, T, features), if asked for."""


class RelationalLM(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """`nn.LanguageModel` with an RMC for the tools of `transformers`.

    The cache of `generate` is the core's memory: (B, N, D), of one size, and a token costs one step, however
    long the text. It is a plain tensor, `state`, that comes out of every call and goes into the next: to
    train over long texts (`state.detach()` ends back-propagation) and to go on with a text later.

    Args:
        config: its sizes and options.

    Example:
        >>> config = RelationalConfig(vocab_size=50, embedding_size=8, head_size=4, num_heads=2)
        >>> model = RelationalLM(config).eval()
        >>> tokens = torch.tensor([[1, 2, 3]])
        >>> output = model(tokens, labels=tokens)
        >>> output.logits.shape, output.state.shape
        (torch.Size([1, 3, 50]), torch.Size([1, 1, 8]))
        >>> model.generate(tokens, max_new_tokens=4, do_sample=False).shape
        torch.Size([1, 7])
    """

    config_class = RelationalConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"
    _is_stateful = True  # no assisted decoding: a memory cannot go back

    def __init__(self, config: RelationalConfig) -> None:
        super().__init__(config)
        self.loss_type = "ForCausalLM"
        core = RelationalMemory(
            config.embedding_size,
            config.mem_slots,
            config.head_size,
            config.num_heads,
            batch_first=True,
            **{name: getattr(config, name) for name in OPTIONS},
        )
        self.model = LanguageModel(
            core,
            config.vocab_size,
            config.embedding_size,
            tied=config.tie_word_embeddings,
            cut_offs=config.cut_offs,
            input_dropout=config.input_dropout,
            output_dropout=config.output_dropout,
            head_layers=config.head_layers,
            head_units=config.head_units,
            head_activation=config.head_activation,
        )
        self.post_init()

    @classmethod
    def from_language_model(cls, model: LanguageModel, **kwargs: Any) -> RelationalLM:
        """Copy a trained language model, for example `relational_rnn.load(RUN, "rmc").model`.

        Args:
            model: with a `RelationalMemory`.
            **kwargs: further settings of the configuration, such as `eos_token_id`.

        Returns:
            The same model with weights of its own, in evaluation mode, on the same device.

        Raises:
            TypeError: another model, or one with another core.

        Example:
            >>> core = RelationalMemory(5, mem_slots=2, head_size=4, batch_first=True)
            >>> model = RelationalLM.from_language_model(LanguageModel(core, 9, 5, tied=True))
            >>> model.config.vocab_size, model.config.tie_word_embeddings
            (9, True)
        """
        if not isinstance(model, LanguageModel) or type(model.core) is not RelationalMemory:
            got = type(model).__name__
            if isinstance(model, LanguageModel):
                got += f" with a {type(model.core).__name__}"
            raise TypeError(f"model must be a LanguageModel with a RelationalMemory, got {got}")
        core, like = model.core.config, model.embedding.weight
        config = RelationalConfig(
            vocab_size=model.vocabulary,
            embedding_size=model.embedding_size,
            mem_slots=core.mem_slots,
            head_size=core.head_size,
            num_heads=core.num_heads,
            tie_word_embeddings=model.tied,
            cut_offs=list(model.cut_offs),
            input_dropout=model.input_dropout,
            output_dropout=model.output_dropout,
            head_layers=model.head_layers,
            head_units=model.head_units,
            head_activation=model.head_activation,
            dtype=like.dtype,
            **{name: getattr(core, name) for name in OPTIONS},
            **kwargs,
        )
        taken: RelationalLM = cls(config).to(device=like.device, dtype=like.dtype)
        taken.model.load_state_dict(model.state_dict())
        taken.eval()
        return taken

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        state: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> RelationalLMOutput | tuple[Any, ...]:
        """Read tokens and score what comes after each.

        Args:
            input_ids: (B, T) int64.
            attention_mask: (B, T), 0 where a token is padding, on any side: it leaves the memory as it is.
                A longer one is of the whole text so far, and its last T columns count.
            state: (B, N, D), what an earlier call returned; None for an empty memory.
            inputs_embeds: (B, T, E) instead of `input_ids`.
            labels: (B, T) int64, the tokens again; -100 is not scored. Shifted here, as in all of
                `transformers`. With none to score the loss is 0, and so are its gradients.
            use_cache: False leaves the state out of the output.
            output_attentions: not here: `model.model.core(..., return_trace=True)` has them.
            output_hidden_states: also return what the softmax reads.
            return_dict: False for a tuple.
            logits_to_keep: score the last so many steps only; 0 for all.
            **kwargs: `num_items_in_batch` and other arguments of the loss.

        Raises:
            TypeError: an argument that does not exist, or of another dtype.
            ValueError: both or neither of `input_ids` and `inputs_embeds`, attentions asked for, a shape that
                does not fit, a mask that is not of 0 and 1, labels of fewer steps than are scored.
        """
        loss_arguments = self._check(input_ids, inputs_embeds, output_attentions, kwargs)
        if inputs_embeds is None:
            inputs_embeds = self.model.embed(input_ids, "input_ids")  # type: ignore[arg-type]
        elif inputs_embeds.ndim != 3:
            raise ValueError(f"inputs_embeds must have shape (B, T, E), got {tuple(inputs_embeds.shape)}")
        if isinstance(logits_to_keep, int):
            check_size("logits_to_keep", logits_to_keep, minimum=0)
        padding = _padding(attention_mask, inputs_embeds)
        features, state = self.model.read(inputs_embeds, state, padding_mask=padding)
        logits = self._logits(slice_logits_to_keep(features, logits_to_keep))
        loss = None
        if labels is not None:
            loss = self._loss(logits, labels, loss_arguments)
        if use_cache is None:
            use_cache = self.config.use_cache
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        output = RelationalLMOutput(
            loss=loss,
            logits=logits,
            state=state if use_cache else None,
            hidden_states=(features,) if output_hidden_states else None,
        )
        as_tuple = return_dict is False or (return_dict is None and not self.config.return_dict)
        return output.to_tuple() if as_tuple else output

    def _check(
        self,
        input_ids: Tensor | None,
        inputs_embeds: Tensor | None,
        output_attentions: bool | None,
        kwargs: dict[str, Any],
    ) -> dict[str, Any]:
        """Return what is for the loss, or say what is wrong with a call."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("forward takes either input_ids or inputs_embeds, and one of them")
        if output_attentions:
            raise ValueError(
                "a RelationalLM returns no attentions; model.model.core(..., return_trace=True) does"
            )
        given = {name: value for name, value in kwargs.items() if value is not None and name not in NOT_USED}
        if strange := [name for name in given if name not in LOSS_ARGUMENTS]:
            named = ("input_ids", "attention_mask", "state", "labels", "use_cache", *LOSS_ARGUMENTS)
            told = ", ".join(f"{name}{did_you_mean(name, named)}" for name in strange)
            raise TypeError(f"RelationalLM has no argument {told}; the memory is its state")
        return given

    def _loss(self, logits: Tensor, labels: Tensor, arguments: dict[str, Any]) -> Tensor:
        """Return the mean of -ln p of the labels that count; 0 where none does, not NaN."""
        if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
            got = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
            raise TypeError(f"labels must be a tensor of torch.int64, got {got}")
        if labels.shape != logits.shape[:-1]:
            raise ValueError(
                f"labels must have the shape of the steps that are scored, {tuple(logits.shape[:-1])}, "
                f"got {tuple(labels.shape)}; with labels, leave logits_to_keep at 0"
            )
        count = arguments.get("num_items_in_batch")
        if count is None:
            shifted = arguments.get("shift_labels", labels[:, 1:])
            count = (shifted != arguments.get("ignore_index", -100)).sum()
        count = count.clamp(min=1) if isinstance(count, Tensor) else max(count, 1)
        size = self.config.vocab_size
        try:
            loss: Tensor = self.loss_function(
                logits, labels, vocab_size=size, **arguments | {"num_items_in_batch": count}
            )
        except IndexError as error:
            raise ValueError(f"labels must be from 0 to {size - 1}, or -100 (not scored): {error}") from None
        return loss

    def _logits(self, features: Tensor) -> Tensor:
        """Return scores of every next token: (..., features) -> (..., V)."""
        if isinstance(self.model.softmax, nn.AdaptiveLogSoftmaxWithLoss):
            return self.model.log_probabilities(features)
        return self.model.scores(features)

    def _validate_model_kwargs(self, model_kwargs: dict[str, Any]) -> None:
        """Say what `generate` calls the memory, before transformers takes it for a `Cache`."""
        if model_kwargs.get("cache") is not None:
            raise TypeError("generate takes the memory as state=..., not as a cache")
        super()._validate_model_kwargs(model_kwargs)

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # the state is no `Cache`

    def _update_model_kwargs_for_generation(
        self, outputs: RelationalLMOutput, model_kwargs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Hand the state on to the next step of `generate`."""
        if outputs.state is not None:
            model_kwargs["state"] = outputs.state
        updated: dict[str, Any] = super()._update_model_kwargs_for_generation(
            outputs, model_kwargs, *args, **kwargs
        )
        return updated

    def _reorder_cache(self, state: Tensor, beam_idx: Tensor) -> Tensor:
        """Give each beam the memory of the beam that it goes on from."""
        return state.index_select(0, beam_idx.to(state.device))

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding of tokens."""
        embedding: nn.Module = self.model.embedding
        return embedding

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Take another embedding."""
        self.model.embedding = value

    def get_output_embeddings(self) -> nn.Module | None:
        """Return the softmax's linear layer; of tied embeddings and the adaptive softmax there is none."""
        return self.model.softmax if isinstance(self.model.softmax, nn.Linear) else None

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
        """Take another linear layer before the softmax."""
        self.model.softmax = new_embeddings

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, **kwargs: Any
    ) -> nn.Module:
        """Have another number of tokens; a new one is at first as likely as the mean of the others.

        Raises:
            ValueError: the adaptive softmax sorts its tokens by how frequent they are; or no token is left.
        """
        if new_num_tokens is not None:
            check_size("new_num_tokens", new_num_tokens)
        if self.config.cut_offs and (new_num_tokens, pad_to_multiple_of) != (None, None):
            raise ValueError("the tokens of an adaptive softmax (cut_offs) cannot be resized")
        embedding: nn.Module = super().resize_token_embeddings(new_num_tokens, pad_to_multiple_of, **kwargs)
        count, bias = self.config.vocab_size, self.model.bias
        if bias is not None and len(bias) != count:
            new = bias.detach().mean().repeat(max(0, count - len(bias)))
            self.model.bias = nn.Parameter(torch.cat([bias.detach()[:count], new]), bias.requires_grad)
        self.model.vocabulary = count
        return embedding

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Draw the initial values of one module as `nn.LanguageModel` does."""
        if isinstance(module, nn.Linear):
            initialise_linear_(module)
        elif isinstance(module, nn.Embedding):
            nn.init.uniform_(module.weight, -START, START)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, RelationalMemory):
            module.reset_own_parameters()
        elif isinstance(module, LanguageModel) and module.bias is not None:
            nn.init.zeros_(module.bias)


def _padding(attention_mask: Tensor | None, rows: Tensor) -> Tensor | None:
    """Return where rows (B, T, E) are padding, (B, T) bool; None where they are not.

    Raises:
        TypeError: the mask is no tensor.
        ValueError: it does not fit, or has other values than 0 and 1.
    """
    if attention_mask is None:
        return None
    if not isinstance(attention_mask, Tensor):
        raise TypeError(f"attention_mask must be a tensor, got {type(attention_mask).__name__}")
    batch, time = rows.shape[:2]
    if attention_mask.ndim != 2 or len(attention_mask) != batch or attention_mask.shape[1] < time:
        raise ValueError(
            f"attention_mask must have shape ({batch}, {time}), or more columns for what came before, "
            f"got {tuple(attention_mask.shape)}"
        )
    mask = attention_mask[:, -time:].to(rows.device)
    padding = mask == 0
    if mask.dtype != torch.bool and (strange := mask[~(padding | (mask == 1))]).numel():
        raise ValueError(f"attention_mask must be 1 at tokens and 0 at padding, got {strange[0].item():g}")
    return padding if padding.any() else None
