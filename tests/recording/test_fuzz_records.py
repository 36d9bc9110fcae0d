"""What damaging recordings has found."""

from __future__ import annotations

from bedside.recording.journal import SegmentFormat, pack_row, read_journal


def test_a_row_without_a_rate_is_passed_over() -> None:
    form = SegmentFormat(1, 250, 1000, start_sample=0, length=900_000, number=1)
    rows = [
        pack_row(
            flags=0,
            batches=1,
            sequence=sequence,
            count=50,
            first_sample=50 * sequence,
            wall_us=0,
            rate_mhz=rate_mhz,
            samples=b"",
        )
        for sequence, rate_mhz in enumerate((250_000, 0, 250_000))
    ]
    journal = read_journal(form.pack() + b"".join(rows))
    assert journal is not None
    assert journal.rows["sequence"].tolist() == [0, 2]
