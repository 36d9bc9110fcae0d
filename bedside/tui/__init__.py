"""The screen: a view of a station, which decides nothing."""
