"""What the databases of a station take of its memory as they grow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_LOG = """
from bedside.alarms.log import AlarmLog
log = AlarmLog(path)
def more(n):
    log.append_all([("alarm", {"bed": "bed-1", "text": "x" * 400}, 1, 1)] * 50)
"""
_OUTBOX = """
from bedside.delivery.delivery import Delivery, DeliveryState
from bedside.delivery.outbox_file import OutboxFile
from tests.delivery.wire import an_alert
file = OutboxFile(path)
def more(n):
    file.save([
        Delivery(k, an_alert(f"{k:0300}"), DeliveryState.ACCEPTED, 0.0)
        for k in range(50 * n, 50 * n + 50)
    ])
"""
_GROWN_MB = """
def anonymous_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024 / 1e6
for n in range(4):
    more(n)
before_mb = anonymous_mb()
for n in range(4, 100):
    more(n)
grown_mb = anonymous_mb() - before_mb
print(grown_mb, sum(each.stat().st_size for each in path.parent.glob("it.sqlite*")) / 1e6)
"""


@pytest.mark.parametrize("database", [_LOG, _OUTBOX], ids=["alarm log", "outbox"])
def test_a_database_takes_no_more_memory_however_long_it_gets(
    database: str, tmp_path: Path
) -> None:
    """SQLite would keep 2 MB of each of these."""
    program = f"from pathlib import Path\npath = Path({str(tmp_path / 'it.sqlite')!r})\n"
    ran = subprocess.run(
        [sys.executable, "-c", program + database + _GROWN_MB],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    grown_mb, size_mb = (float(number) for number in ran.stdout.split())
    assert size_mb > 2.5
    assert grown_mb < 1.0
