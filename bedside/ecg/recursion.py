"""scipy's recursive filter, alone.

Importing `scipy.signal` brings statistics, interpolation and optimisation along: 0.7 s of the
start and 77 MB, for one compiled function. And the checks of `scipy.signal.lfilter` take five
times as long as the fifty samples of a batch. So the coefficients of the filters in this room are
written down, beside the design that they come from, and the compiled part is loaded by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path

from bedside.errors import BedsideError
from bedside.events import Float64Array

_LinearFilter = Callable[
    [Float64Array, Float64Array, Float64Array, int, Float64Array],
    tuple[Float64Array, Float64Array],
]


def recursive(
    numerator: Float64Array, denominator: Float64Array, samples: Float64Array, state: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Filter samples of shape (n,), n ≥ 1; give as many, and the state after them.

    It does what `scipy.signal.lfilter` does, to the bit.
    """
    return _linear_filter(numerator, denominator, samples, -1, state)


def compiled() -> _LinearFilter:
    """The compiled part. Raises `BedsideError` where the installed scipy has it elsewhere."""
    scipy = find_spec("scipy")
    if scipy is not None and scipy.origin is not None:
        spec = PathFinder.find_spec("_sigtools", [str(Path(scipy.origin).parent / "signal")])
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            linear_filter: _LinearFilter | None = getattr(module, "_linear_filter", None)
            if linear_filter is not None:
                return linear_filter
    raise BedsideError("The filter of the installed scipy lies elsewhere: install scipy 1.17.")


_linear_filter = compiled()
