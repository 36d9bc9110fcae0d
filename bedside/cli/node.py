"""`bedside node …`: a board's credentials, and what a node is told over the broker."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bedside import settings as settings_file
from bedside.cli import options
from bedside.errors import ProvisioningError, SettingsError
from bedside.node import provisioning
from bedside.node.link import Link, check
from bedside.node.orders import Order
from bedside.node.orders import tell as tell_node
from bedside.node.wire import is_node_name

group = typer.Typer(no_args_is_help=True, help="A node: give it its credentials, tell it things.")

Node = Annotated[str, typer.Argument(help="The node's name, and so the bed's.")]


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="node")


@group.command()
def provision(
    node: Node,
    ssid: Annotated[str, typer.Option(help="The name of the Wi-Fi.")],
    password_file: Annotated[
        Path,
        typer.Option(
            help="Its first line is the node's password at the broker: what bedside broker "
            "add-node made."
        ),
    ],
    port: Annotated[
        str, typer.Option(help="The serial port that the node is on, such as /dev/ttyUSB0.")
    ] = "",
    wifi_password_file: Annotated[
        Path | None,
        typer.Option(help="Its first line is the Wi-Fi's password; without it you are asked."),
    ] = None,
    broker: Annotated[
        str, typer.Option(help="mqtts://host:port; without it, the configured broker.")
    ] = "",
    ca_file: Annotated[
        Path | None,
        typer.Option(help="The broker's authority; without it, the configured one."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print what would be written, without secrets, and stop."),
    ] = False,
    config: options.Config = None,
) -> None:
    """Write a node's name, Wi-Fi, broker, password and authority into its flash."""
    if not is_node_name(node):
        raise SettingsError(f"{node!r} is no node's name: use 1 to 32 of a-z, 0-9 and -.")
    configured = settings_file.load(config).broker
    authority = ca_file or configured.ca_file
    if authority is None:
        raise ProvisioningError(
            "A node speaks TLS only: give the certificate of the broker's authority with --ca-file."
        )
    ca_pem = provisioning.read_authority(authority)
    if not dry_run:
        if not port:
            raise ProvisioningError("Give the node's serial port with --port, or --dry-run.")
        provisioning.check_tools()
        provisioning.check_port(port)
    broker_uri = broker or f"mqtts://{configured.host}:{configured.port}"
    credentials = provisioning.Credentials(
        name=node,
        ssid=ssid,
        wifi_password=(
            typer.prompt(f"Password of the Wi-Fi {ssid}", hide_input=True, err=True)
            if wifi_password_file is None
            else provisioning.read_password(wifi_password_file)
        ),
        broker_uri=broker_uri,
        broker_password=provisioning.read_password(password_file),
        ca_pem=ca_pem,
    )
    if dry_run:
        typer.echo(credentials.csv(masked=True), nl=False)
        return
    provisioning.flash(credentials, port)
    typer.echo(f"Node {node} has its credentials; it restarts and connects to {broker_uri}.")


@group.command()
def tell(node: Node, order: Order, config: options.Config = None) -> None:
    """Blink its LED, restart or update it, switch its front end off between patients and on."""
    if not is_node_name(node):
        raise SettingsError(f"{node!r} is no node's name: use 1 to 32 of a-z, 0-9 and -.")
    broker = settings_file.load(config).broker.address()
    check(broker)
    tell_node(node, order, partial(Link, broker))
    typer.echo(f"Node {node} was told: {order.value}.")
