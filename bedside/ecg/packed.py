"""Numbers as text in a Python file: zlib in base 64, so that thousands of weights load at once."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(numbers: NDArray[Any], dtype: str) -> str:
    """Numbers of any shape, row by row, as `dtype`; that has a byte order: "<i4"."""
    return base64.b64encode(zlib.compress(numbers.astype(dtype).tobytes(), 9)).decode()


def unpack(text: str, dtype: str) -> NDArray[Any]:
    """The numbers of `pack`, shape (n,). Raises ValueError or zlib.error for another text."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype)
