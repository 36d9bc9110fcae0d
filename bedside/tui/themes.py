"""The colours: one accent a meaning, and a priority's own colour behind its banner.

`alarm-…` stands behind an alarm, whatever the ground: red, yellow, cyan. The text's own colours
(`error`, `warning`, `accent`) are darker where the ground is light.
"""

from __future__ import annotations

from textual.theme import Theme

ALARMS = {"alarm-high": "#e5261f", "alarm-medium": "#ffd447", "alarm-low": "#4cc9f0"}

THEMES: dict[str, Theme] = {
    "night": Theme(
        name="bedside-night",
        primary="#4cc38a",
        secondary="#7d929f",
        warning="#ffd447",
        error="#ff4d42",
        success="#4fd897",
        accent="#4cc9f0",
        foreground="#d8e0e4",
        background="#080b0d",
        surface="#080b0d",
        panel="#11171b",
        dark=True,
        variables=ALARMS,
    ),
    "day": Theme(
        name="bedside-day",
        primary="#0b6b3a",
        secondary="#4d5b64",
        warning="#8a5600",
        error="#b3140d",
        success="#0b6b3a",
        accent="#00607f",
        foreground="#12181c",
        background="#f6f8f9",
        surface="#f6f8f9",
        panel="#e4e9ec",
        dark=False,
        variables=ALARMS,
    ),
    "high-contrast": Theme(
        name="bedside-high-contrast",
        primary="#ffffff",
        secondary="#ffffff",
        warning="#ffff00",
        error="#ff6060",
        success="#00ff66",
        accent="#00ffff",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#000000",
        dark=True,
        variables={"alarm-high": "#ff0000", "alarm-medium": "#ffff00", "alarm-low": "#00ffff"},
    ),
    "monochrome": Theme(
        name="bedside-monochrome",
        primary="#ffffff",
        secondary="#a0a0a0",
        warning="#ffffff",
        error="#ffffff",
        success="#e0e0e0",
        accent="#ffffff",
        foreground="#e0e0e0",
        background="#000000",
        surface="#000000",
        panel="#101010",
        dark=True,
        variables={"alarm-high": "#ffffff", "alarm-medium": "#c8c8c8", "alarm-low": "#909090"},
    ),
}


def after(name: str) -> str:
    """The next theme's name, going around."""
    names = list(THEMES)
    return names[(names.index(name) + 1) % len(names)]
