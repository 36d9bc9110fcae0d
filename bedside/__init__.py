"""bedside: a one-lead ECG monitor for a room where nobody is looking. Not a medical device."""

__version__ = "0.1.0"
