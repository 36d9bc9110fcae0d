"""The short form of the program that kills the delivery of alerts again and again."""

from __future__ import annotations

from pathlib import Path

from tests.faults.alert_chaos import Chaos


def test_no_committed_alert_is_lost_to_kills_a_full_disk_and_a_jumping_clock(
    tmp_path: Path,
) -> None:
    chaos = Chaos(tmp_path, seed=7)
    try:
        chaos.run(alerts=120, process_kills=3, broker_kills=1)
        chaos.order(20)
    finally:
        chaos.close()
    count = chaos.count
    assert (count.process_kills, count.broker_kills, count.disk_full) == (3, 2, 1)
    assert count.clock_jumps
    assert len(count.committed) > 60
    assert count.lost == set()
    assert count.changed == 0
    assert count.order_kept
