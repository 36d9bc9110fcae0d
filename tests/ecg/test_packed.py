import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.ecg.packed import pack, unpack


@given(st.lists(st.floats(allow_nan=False)), st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_what_was_packed_is_unpacked_bit_for_bit(reals: list[float], whole: list[int]) -> None:
    assert unpack(pack(np.array(reals), "<f8"), "<f8").tolist() == reals
    assert unpack(pack(np.array(whole), "<i4"), "<i4").tolist() == whole


def test_a_text_that_is_not_packed_is_refused() -> None:
    with pytest.raises((ValueError, zlib.error)):
        unpack("no weights", "<f8")
