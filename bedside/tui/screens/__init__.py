"""Screens of the terminal face."""
