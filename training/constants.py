"""Arrays written into Python files, as the fits of the signal chain leave them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bedside.ecg.packed import pack

_COLUMNS = 92


def packed_constant(name: str, numbers: NDArray[Any], dtype: str, meaning: str) -> str:
    """The assignment of an array, shape (n,) once read, with its docstring."""
    text = pack(numbers, dtype)
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    body = "\n".join(f'    "{line}"' for line in lines)
    return f'{name} = unpack(\n{body},\n    "{dtype}",\n)\n"""{meaning}"""\n'


def write_constants(path: Path, title: str, constants: Iterable[str]) -> None:
    """A file of constants; the formatter leaves it as it is."""
    path.write_text(
        f'"""{title}"""\n\nfrom __future__ import annotations\n\n'
        "from bedside.ecg.packed import unpack\n\n# fmt: off\n" + "\n".join(constants),
        encoding="utf-8",
    )
