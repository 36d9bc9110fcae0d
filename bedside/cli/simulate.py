"""`bedside simulate`: a node without hardware, for any broker."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from bedside import settings as settings_file
from bedside.cli import options
from bedside.errors import SettingsError


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
    from bedside.simulator.source import RecordSource, Source, parse_episodes
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
    program = find_program() if native else None
    broker = settings_file.load(config).broker
    check(broker.address())
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
