"""`bedside broker …`: a Mosquitto with TLS, passwords and rights for nodes and screens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bedside import settings as settings_file
from bedside.cli import options
from bedside.errors import SettingsError

if TYPE_CHECKING:
    from bedside.broker.users import Kind

group = typer.Typer(
    no_args_is_help=True, help="The broker: set it up securely, and say who may connect."
)

Folder = Annotated[Path, typer.Option(help="Where certificates, passwords and rights lie.")]
Name = Annotated[str, typer.Argument(help="1 to 32 of a–z, 0–9 and -; a bed has its node's name.")]

_FOLDER = Path("/etc/mosquitto/bedside")
_INCLUDED = Path("/etc/mosquitto/conf.d/bedside.conf")
_TAKE_EFFECT = "It takes effect with: systemctl reload mosquitto"


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="broker")


@group.command()
def setup(
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name or address under which nodes reach the broker; repeat at will."),
    ] = None,
    folder: Folder = _FOLDER,
    included: Annotated[Path, typer.Option(help="The file that Mosquitto reads.")] = _INCLUDED,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port with TLS.")] = 8883,
    plain_port: Annotated[
        int, typer.Option(min=1, max=65535, help="The port without, on this machine alone.")
    ] = 1883,
    config: options.Config = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the configuration.")
    ] = False,
) -> None:
    """Write certificates, the station's user and Mosquitto's configuration, where missing or due.

    Run it again at will, and at least once a year: it renews the broker's certificate.
    """
    from bedside.broker.mosquitto import Site, set_up

    station = settings_file.load(config).station.name
    hosts = tuple(dict.fromkeys([*(host or options.own_names()), "localhost", "127.0.0.1"]))
    site = Site(hosts, folder, included, port, plain_port)
    if dry_run:
        typer.echo(site.configuration())
        return
    with _in_words(folder):
        done = set_up(site, station)
    for step in done or ["nothing was missing or due"]:
        typer.echo(step)
    if done:
        typer.echo(
            "\nIt takes effect with: systemctl restart mosquitto\n"
            "The station's configuration needs:\n\n"
            f'[broker]\nhost = "{hosts[0]}"\nport = {port}\nusername = "{station}"\n'
            f'password_file = "{site.users.clients_folder / station}.password"\n'
            f'ca_file = "{site.authority.certificate_file}"'
        )


@group.command("add-node")
def add_node(name: Name, folder: Folder = _FOLDER) -> None:
    """A node with a new password: it reaches its own topics alone."""
    _add(name, "node", folder)


@group.command("add-screen")
def add_screen(name: Name, folder: Folder = _FOLDER) -> None:
    """A screen or operator with a new password: reads stations, asks for actions in its name."""
    _add(name, "screen", folder)
    typer.echo(
        "What it may do stands in the station's configuration, view where it says nothing:\n\n"
        f'[station.roles]\n{name} = "operate"  # or "view", "configure"'
    )


@group.command("add-station")
def add_station(name: Name, folder: Folder = _FOLDER) -> None:
    """Another station, with a new password: it serves nodes that it is told to serve."""
    _add(name, "station", folder)


@group.command("add-bridge")
def add_bridge(name: Name, folder: Folder = _FOLDER) -> None:
    """Another broker, with a new password: it hands on what its nodes say."""
    _add(name, "bridge", folder)


@group.command()
def bridge(
    name: Name,
    to: Annotated[str, typer.Option(help="Name or address of the broker elsewhere.")],
    password_file: Annotated[
        Path, typer.Option(help="The password from `add-bridge NAME` over there.")
    ],
    ca_file: Annotated[Path, typer.Option(help="The authority of the broker over there.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port with TLS.")] = 8883,
) -> None:
    """Print the lines with which this Mosquitto hands its nodes on to a broker elsewhere."""
    from bedside.broker.bridge import bridge_lines

    there = settings_file.BrokerSettings(
        host=to, port=port, username=name, password_file=password_file, ca_file=ca_file
    )
    typer.echo(bridge_lines(name, there.address()), nl=False)


@group.command()
def remove(name: Name, folder: Folder = _FOLDER) -> None:
    """Forget a user: its password is worth nothing any more."""
    from bedside.broker.mosquitto import give_to_daemon
    from bedside.broker.users import Users

    users = Users(folder)
    with _in_words(folder):
        users.remove(name)
        give_to_daemon((users.password_file, users.acl_file))
    typer.echo(f"{name} is removed. {_TAKE_EFFECT}")


@group.command("list")
def show(folder: Folder = _FOLDER) -> None:
    """Who may connect, and how long the broker's certificate lasts."""
    from bedside.broker.authority import expires
    from bedside.broker.users import Users

    with _in_words(folder):
        for user in Users(folder).all():
            typer.echo(f"{user.name:<34}{user.kind}")
        days = (expires(folder / "broker.pem") - datetime.now(UTC)).days
        typer.echo(f"the broker's certificate lasts {days} more days")


def _add(name: str, kind: Kind, folder: Path) -> None:
    from bedside.broker.mosquitto import give_to_daemon
    from bedside.broker.users import Users

    users = Users(folder)
    if not (folder / "ca.pem").exists():
        raise SettingsError(f"there is no broker in {folder}: run bedside broker setup first.")
    with _in_words(folder):
        file = users.add(name, kind)
        give_to_daemon((users.password_file, users.acl_file))
    typer.echo(
        f"{name} is a {kind}; its password is in {file}, the authority in {folder / 'ca.pem'}.\n"
        f"{_TAKE_EFFECT}"
    )


@contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"{error.filename or folder} cannot be written or read ({error.strerror}): run this "
            "with sudo, or choose another --folder."
        ) from error
