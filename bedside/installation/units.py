"""The systemd units: the station as a hardened service, and the yearly renewal of a certificate.

The service may read the system, write its own folder, speak over the network and play sounds, and
nothing else: `systemd-analyze security bedside.service` rates its exposure.
"""

from __future__ import annotations

from pathlib import Path

USER = "bedside"
SERVICE = "bedside.service"
RENEWAL_SERVICE = "bedside-renewal.service"
RENEWAL_TIMER = "bedside-renewal.timer"

_SERVICE = """\
# Written by `bedside install`.
[Unit]
Description=ECG monitor for the bedside (not a medical device)
After=network-online.target mosquitto.service time-sync.target sound.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
WatchdogSec=20
ExecStart={python} -m bedside run --headless --unattended --config {configuration}
StandardOutput=null
StandardError=journal
Restart=always
RestartSec=2
TimeoutStopSec=20

User={user}
Group={user}
SupplementaryGroups=audio
StateDirectory=bedside
StateDirectoryMode=0700
Environment=PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
UMask=0077
# An alarm must not wait for a backup or an update.
Nice=-5
IOSchedulingClass=best-effort
IOSchedulingPriority=2
OOMScoreAdjust=-500
MemoryMax=1G
TasksMax=64

CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateTmp=yes
PrivateUsers=yes
DevicePolicy=closed
DeviceAllow=char-alsa rw
LockPersonality=yes
# What waits in /dev/shm for the next sync has to outlive a killed station.
RemoveIPC=no
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

_RENEWAL_SERVICE = """\
# Written by `bedside install`.
[Unit]
Description=Renew the certificate of the bedside broker where it is due

[Service]
Type=oneshot
ExecStart={python} -m bedside broker setup{hosts} --config {configuration}
ExecStartPost=-/usr/bin/systemctl try-reload-or-restart mosquitto.service
"""

_RENEWAL_TIMER = """\
# Written by `bedside install`.
[Unit]
Description=Look once a week whether the broker's certificate is due

[Timer]
OnCalendar=weekly
RandomizedDelaySec=6h
Persistent=true

[Install]
WantedBy=timers.target
"""


def units(python: Path, configuration: Path, hosts: tuple[str, ...]) -> dict[str, str]:
    """The units by their file's name, for this interpreter and configuration."""
    named = "".join(f" --host {host}" for host in hosts)
    return {
        SERVICE: _SERVICE.format(python=python, configuration=configuration, user=USER),
        RENEWAL_SERVICE: _RENEWAL_SERVICE.format(
            python=python, configuration=configuration, hosts=named
        ),
        RENEWAL_TIMER: _RENEWAL_TIMER,
    }
