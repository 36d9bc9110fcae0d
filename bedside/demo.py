"""The demo: broker, node, station and alert path on this machine, with nothing to set up.

The node replays the bundled record through the wire format and MQTT; the bed is admitted with a
baseline that ships with the record. Everything is thrown away at the end.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from bedside.anomaly.autoencoder import Autoencoder
from bedside.anomaly.baseline import Baseline
from bedside.delivery.log_transport import LogTransport
from bedside.errors import BedsideError
from bedside.events import Event
from bedside.node.broker import DemoBroker
from bedside.settings import BrokerSettings, RecordingSettings, Settings, StationSettings
from bedside.simulator.source import DemoSource, RecordSource, Source
from bedside.simulator.virtual_node import BATCH_S, VirtualNode
from bedside.sounder import Sounder
from bedside.station import Station

BED = "demo"
RECORDS = Path(__file__).parent / "simulator" / "records"
PATIENCE_S = 120.0
"""A machine on which so long nothing of the signal arrives does not play it at all."""
_LOOK_EVERY_S = 0.1


class Demo:
    """A whole installation for as long as a `with` block lasts."""

    def __init__(
        self,
        record: Path | None = None,
        speed: float = 1.0,
        on_event: Callable[[str, Event, int], None] = lambda bed, event, wall_us: None,
        sounder: Sounder | None = None,
    ) -> None:
        """With another record than the bundled one, the bed starts without a baseline.

        Without a `sounder` the demo is silent.
        """
        self._record = record
        self._speed = speed
        self._on_event = on_event
        self._sounder = sounder

    def __enter__(self) -> Demo:
        """Start all of it. Raises BedsideError."""
        autoencoder = Autoencoder.load()
        source, title, baseline = self._what_to_play(autoencoder)
        self._folder = tempfile.TemporaryDirectory(prefix="bedside-demo-")
        self._broker = DemoBroker()
        self._broker.__enter__()
        settings = Settings(
            broker=BrokerSettings(host="127.0.0.1", port=self._broker.port),
            station=StationSettings(name="demo", data_dir=Path(self._folder.name)),
            recording=RecordingSettings(sync_every_s=2.0),
        )
        self.station = Station(
            settings,
            LogTransport(),
            autoencoder=autoencoder,
            speed=self._speed,
            titles={BED: title},
            on_event=self._on_event,
            sounder=self._sounder,
        )
        self.station.admit(BED, baseline)
        self.station.start()
        self.node = VirtualNode(source, BED, "127.0.0.1", self._broker.port, speed=self._speed)
        self.node.start()
        return self

    def play(self, seconds: float) -> None:
        """Wait until the station has heard so many seconds of the signal, however long it takes.

        Raises BedsideError when nothing arrives any more.
        """
        heard, since_s = 0, time.monotonic()
        while heard * BATCH_S < seconds:
            time.sleep(_LOOK_EVERY_S)
            if heard != self.station.ward.counts.batches:
                heard, since_s = self.station.ward.counts.batches, time.monotonic()
            elif time.monotonic() - since_s > PATIENCE_S:
                raise BedsideError(
                    f"Nothing of the demo's signal has arrived for {PATIENCE_S:.0f} s: close other "
                    "programs, or play it with --speed 1."
                )

    @property
    def data_dir(self) -> Path:
        """Where the demo records, until it ends."""
        return Path(self._folder.name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop all of it, in the order of the samples' way."""
        self.node.stop()
        self.station.stop()
        self._broker.__exit__(kind, error, trace)
        self._folder.cleanup()

    def _what_to_play(self, autoencoder: Autoencoder) -> tuple[Source, str, Baseline | None]:
        if self._record is not None:
            return RecordSource(self._record, loop=True), f"RECORD {self._record.name}", None
        stored = json.loads((RECORDS / "demo_baseline.json").read_text(encoding="utf-8"))
        baseline = Baseline.from_json(stored)
        baseline.require(bed=BED, session="demo", model_version=autoencoder.version)
        return DemoSource(), "RECORD mitdb/208 (trained on)", baseline
