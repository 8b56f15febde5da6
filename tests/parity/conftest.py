"""Every parity test runs under torch's usual defaults and under others, which no module may take up."""

import importlib.util

import pytest

if importlib.util.find_spec("torch"):
    import torch

    from defaults import DEFAULTS, torch_defaults
    from relational_rnn import nn

    FAST = (None, "float64", "float16 and meta")
    """The widest of the defaults; the others are parts of these."""
    CASES = [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in (None, *DEFAULTS)]

    @pytest.fixture(autouse=True, scope="module", params=CASES)
    def defaults(request):
        """Change torch's defaults while a module or an autograd pass runs, not for what the test makes."""
        if request.param is None:
            yield
            return

        entered = []

        def changed(function):
            def call(*arguments, **options):
                if entered:  # one call inside another; a mode, too, calls again what it was called by
                    return function(*arguments, **options)
                entered.append(True)
                try:
                    with torch_defaults(*DEFAULTS[request.param]):
                        return function(*arguments, **options)
                finally:
                    entered.pop()

            return call

        with pytest.MonkeyPatch.context() as patch:
            for name in nn.__all__:
                kind = getattr(nn, name)
                if isinstance(kind, type) and issubclass(kind, torch.nn.Module):
                    patch.setattr(kind, "forward", changed(kind.forward))
            patch.setattr(torch.autograd, "grad", changed(torch.autograd.grad))
            patch.setattr(torch.Tensor, "backward", changed(torch.Tensor.backward))
            yield
