"""The broker for tests that need a real one."""

from tests.mosquitto import mosquitto

__all__ = ["mosquitto"]
