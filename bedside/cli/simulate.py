"""`bedside simulate`: a node without hardware, for any broker."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bedside import settings as settings_file
from bedside.cli import options
from bedside.errors import SettingsError

if TYPE_CHECKING:
    from bedside.broker_address import Address
    from bedside.simulator.fleet import FleetCounts
    from bedside.simulator.source import Source

ACKNOWLEDGED_WITHIN_S = 60.0


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    node: Annotated[str, typer.Argument(help="The node's name, and so the bed's.")] = "sim-1",
    rhythm: Annotated[
        str,
        typer.Option(
            help="What a synthetic patient plays, a rate after a colon and seconds after a slash: "
            "sinus:75/60,vt/12,asystole/8,sinus. An unknown one lists all."
        ),
    ] = "sinus",
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario file (TOML) that scripts rhythms and faults.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Play this WFDB record instead (path without extension).")
    ] = None,
    channel: Annotated[int, typer.Option(min=0, help="Which channel of the record.")] = 0,
    loop: Annotated[bool, typer.Option("--loop", help="Play the record again and again.")] = False,
    amplitude: Annotated[
        float, typer.Option(min=0.05, max=10, help="Height of the synthetic R wave in mV.")
    ] = 1.0,
    noise: Annotated[
        float, typer.Option(min=0, max=2, help="RMS noise of the synthetic signal in mV.")
    ] = 0.01,
    seed: Annotated[int, typer.Option(help="Another patient of the same kind.")] = 0,
    speed: Annotated[float, typer.Option(min=0.1, max=50, help="Faster than real time.")] = 1.0,
    seconds: Annotated[
        float, typer.Option(min=0, help="Stop after this many seconds of signal; 0: never.")
    ] = 0.0,
    beds: Annotated[
        int,
        typer.Option(
            min=1,
            max=2000,
            help="So many nodes at once, NODE-1 to NODE-n, each at a place of its own in the same "
            "two minutes of signal.",
        ),
    ] = 1,
    native: Annotated[
        bool,
        typer.Option("--native", help="Run the firmware's own core (bedside-node) as the node."),
    ] = False,
    config: options.Config = None,
) -> None:
    """Sample a record or a synthetic patient and send it as a node does."""
    from bedside.node.link import check
    from bedside.node.wire import is_node_name
    from bedside.simulator.native_node import NativeNode, find_program
    from bedside.simulator.scenario import Scenario, read_scenario
    from bedside.simulator.source import RecordSource, parse_episodes
    from bedside.simulator.virtual_node import VirtualNode

    options.log_to_stderr()
    if not is_node_name(node):
        raise SettingsError(f"{node!r} is no node's name: use 1 to 32 of a-z, 0-9 and -.")
    source: Source
    faults = None
    if record is not None:
        source = RecordSource(record, channel, loop=loop)
    else:
        played = Scenario(parse_episodes(rhythm), seed=seed, amplitude_mv=amplitude, noise_mv=noise)
        if scenario is not None:
            played = read_scenario(scenario)
        source, faults = played.source(), played.network
    if beds > 1 and (native or faults is not None or speed != 1.0):
        raise SettingsError(
            "many beds play in real time and without faults of the network: leave out --native, "
            "--speed and what the scenario says of the network, or --beds."
        )
    program = find_program() if native else None
    broker = settings_file.load(config).broker
    check(broker.address())
    if beds > 1:
        _many(node, beds, source, broker.address(), seconds)
        return
    virtual: VirtualNode | NativeNode
    if program is not None:
        # Python would leave the process behind.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        virtual = NativeNode(
            program,
            source,
            node,
            broker.host,
            broker.port,
            speed=speed,
            username=broker.username,
            password_file=broker.password_file,
            ca_file=broker.ca_file,
        )
    else:
        virtual = VirtualNode(
            source,
            node,
            broker.host,
            broker.port,
            speed=speed,
            username=broker.username,
            password=broker.password(),
            ca_file=broker.ca_file,
            faults=faults,
        )
    with virtual as running:
        typer.echo(f"Node {node} sends to {broker.host}:{broker.port}. Ctrl+C ends it.", err=True)
        until_s = time.monotonic() + seconds / speed if seconds else float("inf")
        while time.monotonic() < until_s and not running.wait_until_sent(0.5):
            pass


def _many(name: str, beds: int, source: Source, broker: Address, seconds: float) -> None:
    """Nodes `name`-1 to `name`-n until `seconds` are over and all of it is acknowledged."""
    from rich.console import Console

    from bedside.node.wire import is_node_name
    from bedside.simulator.fleet import Fleet, stretch_of

    names = [f"{name}-{number}" for number in range(1, beds + 1)]
    if not is_node_name(names[-1]):
        raise SettingsError(f"{names[-1]!r} is too long for a node's name: give a shorter one.")
    console = Console(stderr=True)
    fleet = Fleet(names, [stretch_of(source)], broker)
    console.print(
        f"{beds} nodes, {names[0]} to {names[-1]}, send to {broker.host}:{broker.port}. "
        "Ctrl+C ends them."
    )
    with fleet, console.status("connecting") as status:
        began_s = time.monotonic()
        until_s = began_s + seconds if seconds else float("inf")
        while time.monotonic() < until_s:
            time.sleep(min(0.5, max(0.0, until_s - time.monotonic())))
            status.update(_progress(fleet.counts, beds, time.monotonic() - began_s))
        fleet.end_sampling()
        status.update("waiting until all is acknowledged")
        fleet.wait_until_acknowledged(ACKNOWLEDGED_WITHIN_S)
        lasted_s = time.monotonic() - began_s
        console.print(_progress(fleet.counts, beds, lasted_s))


def _progress(counts: FleetCounts, beds: int, since_s: float) -> str:
    return (
        f"{counts.connected} of {beds} connected, {counts.sent} batches sent in {since_s:.0f} s, "
        f"{counts.waiting} not acknowledged, {counts.dropped} dropped, "
        f"at most {counts.late_ms:.0f} ms late"
    )
