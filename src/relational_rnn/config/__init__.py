"""What a core is: configurations, the axis legend, checks."""

from relational_rnn.config.axes import AXES
from relational_rnn.config.core import (
    CoreOptions,
    RelationalMemoryConfig,
    Trace,
    check_parameters,
    parameter_shapes,
)

__all__ = ["AXES", "CoreOptions", "RelationalMemoryConfig", "Trace", "check_parameters", "parameter_shapes"]
