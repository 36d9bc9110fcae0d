"""Tables of the README that programs write, each between two marks."""

from __future__ import annotations

from tests.conftest import PROJECT

README = PROJECT / "README.md"


def told(program: str) -> str:
    """What stands between the marks of `python -m PROGRAM`."""
    begin, end = _marks(program)
    return README.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0].strip()


def tell(program: str, table: str) -> None:
    """Put a table between the marks of `python -m PROGRAM`."""
    begin, end = _marks(program)
    before, _, rest = README.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    README.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")


def _marks(program: str) -> tuple[str, str]:
    return f"<!-- by python -m {program} -->", f"<!-- end of {program} -->"
