"""The door to the disk: recordings in WFDB."""
