"""A ward's broker that hands its nodes on to a broker elsewhere, where the station is.

Nodes and their broker stay as they are. Every topic goes one way, so that nothing circles: batches
and what nodes say of themselves out, acknowledgements and commands in. A bridge may lose what it
holds, as any broker may: the node keeps each batch until the station has it on disk, and sends it
again.

Other brokers in clusters (EMQX, AWS IoT Core) need no bridge: stations partition the nodes by a
part of their names, `bedside run --beds 'icu-*'` each. Never by a shared subscription
(`$share/…`): it deals the batches of one bed out to all stations, none of which then sees a heart.
"""

from __future__ import annotations

from pathlib import Path

from bedside.broker_address import Address

_LINES = """\
# Written by `bedside broker bridge`: what this broker's nodes say goes to another broker, too.
connection bedside-{name}
address {host}:{port}
topic bedside/v1/+/ecg out 1
topic bedside/v1/+/meta out 1
topic bedside/v1/+/status out 1
topic bedside/v1/+/ack in 1
topic bedside/v1/+/cmd in 1
remote_clientid bedside-{name}
cleansession true
notifications false
try_private true
keepalive_interval 5
restart_timeout 1 5
"""


def bridge_lines(name: str, there: Address) -> str:
    """Lines for Mosquitto's configuration, the password among them.

    `name` tells this broker from others over there.
    """
    lines = _LINES.format(name=name, host=there.host, port=there.port)
    if there.username:
        lines += f"remote_username {there.username}\nremote_password {there.password}\n"
    if there.ca_file is not None:
        lines += f"bridge_cafile {Path(there.ca_file).resolve()}\nbridge_tls_version tlsv1.2\n"
    return lines
