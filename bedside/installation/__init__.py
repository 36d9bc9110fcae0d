"""From a fresh Debian or Raspberry Pi OS to a running service, and back."""
