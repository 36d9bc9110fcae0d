"""The door to the outside: alerts that leave the building."""
