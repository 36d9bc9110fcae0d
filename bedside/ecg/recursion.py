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


def _compiled() -> _LinearFilter:
    scipy = find_spec("scipy")
    if scipy is None or scipy.origin is None:
        raise ImportError("scipy is not installed: install bedside with its dependencies")
    folder = Path(scipy.origin).parent / "signal"
    spec = PathFinder.find_spec("_sigtools", [str(folder)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} holds no compiled filter: install another version of scipy")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    linear_filter: _LinearFilter = module._linear_filter
    return linear_filter


_linear_filter = _compiled()
