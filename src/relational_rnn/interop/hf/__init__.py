"""Hugging Face's `transformers`: a language model with a relational memory core, and its tokenizer.

Importing this makes the model known to `AutoConfig` and `AutoModelForCausalLM`. It needs the extra `hf`.
"""

try:
    from transformers import AutoConfig, AutoModelForCausalLM
except ImportError as error:
    raise ImportError(
        f"relational_rnn.interop.hf needs transformers 5.24 or newer ({error}): "
        "pip install 'relational-rnn[hf]'",
        name=error.name,
    ) from None

from relational_rnn.interop.hf.configuration import RelationalConfig
from relational_rnn.interop.hf.model import RelationalLM, RelationalLMOutput
from relational_rnn.interop.hf.tokenizer import tokenizer_of

__all__ = ["RelationalConfig", "RelationalLM", "RelationalLMOutput", "tokenizer_of"]

AutoConfig.register(RelationalConfig.model_type, RelationalConfig, exist_ok=True)
AutoModelForCausalLM.register(RelationalConfig, RelationalLM, exist_ok=True)
