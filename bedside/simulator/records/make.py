"""Make `208.hea` and `208.dat` from the five minutes of ECG that scipy 1.11.4 ships.

    python make.py …/scipy/misc/ecg.dat

SOURCE.md tells where the signal is from.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

RATE_HZ = 250
GAIN_PER_MV = 200

HEADER = """\
208 1 {rate} {count}
208.dat 16 {gain}/mV 16 0 {first} {checksum} 0 MLII
# MIT-BIH Arrhythmia Database, record 208, lead MLII, five minutes from sample 422820 on
# (19:34.5 into the record), as scipy 1.11.4 ships it, resampled from 360 to 250 Hz.
# Moody GB, Mark RG. The impact of the MIT-BIH Arrhythmia Database. IEEE Eng in Med and
# Biol 20(3):45-50, 2001. Goldberger AL, et al. PhysioBank, PhysioToolkit, and PhysioNet.
# Circulation 101(23):e215-e220, 2000.
# Licence: Open Data Commons Attribution License v1.0 (ODC-By 1.0).
"""


def main(ecg_dat: Path, folder: Path) -> None:
    """Read scipy's `ecg.dat` (360 Hz, (x - 1024) / 200 mV) and write the record."""
    with np.load(ecg_dat) as archive:
        at_360_hz_mv = (archive["ecg"].astype(np.float64) - 1024) / 200
    at_250_hz_mv = resample_poly(at_360_hz_mv, 25, 36, padtype="line")
    samples = np.round(at_250_hz_mv * GAIN_PER_MV).astype("<i2")
    checksum = int(samples.astype(np.int64).sum() % 65536)
    (folder / "208.dat").write_bytes(samples.tobytes())
    (folder / "208.hea").write_text(
        HEADER.format(
            rate=RATE_HZ,
            count=len(samples),
            gain=GAIN_PER_MV,
            first=samples[0],
            checksum=checksum,
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent)
