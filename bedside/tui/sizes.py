"""The sizes of terminals at which the screens change: a class of the stylesheet from each on."""

from __future__ import annotations

LEAST_COLUMNS, LEAST_ROWS = 80, 24

BY_COLUMNS = [(0, "-too-narrow"), (LEAST_COLUMNS, "-narrow"), (100, "-medium"), (140, "-wide")]
BY_ROWS = [(0, "-too-low"), (LEAST_ROWS, "-low"), (30, "-tall"), (38, "-high")]
