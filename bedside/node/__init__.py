"""The door to the node: wire format, stream and link."""
