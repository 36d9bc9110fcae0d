"""Alarm conditions, their engine, their log."""
