import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.ecg import qrs_net
from bedside.ecg.qrs_net import QrsNet, Unspiked
from tests.ecg.heartbeats import heart, pieces, steady

EXACT = 2.0**24
"""Whole numbers up to here are exact in single precision."""


def largest_sum(weights: np.ndarray, largest_input: float) -> float:
    """The largest sum that a layer can meet, in units of its weights."""
    rows = np.abs(weights / qrs_net.WEIGHT_UNIT)
    return float((largest_input * rows[:-1].sum(axis=0) + rows[-1]).max())


def test_no_sum_of_any_layer_can_leave_the_whole_numbers_that_are_exact() -> None:
    largest = qrs_net.LARGEST_ACTIVATION / qrs_net.ACTIVATION_UNIT
    heard = qrs_net.LARGEST_INPUT / qrs_net.INPUT_UNIT
    assert largest_sum(qrs_net._FIRST, heard) < EXACT
    assert max(largest_sum(layer, largest) for layer in qrs_net._LAYERS) < EXACT
    assert largest_sum(qrs_net._LAST[:, None], largest) < EXACT
    for weights in (qrs_net._FIRST, *qrs_net._LAYERS, qrs_net._LAST):
        assert np.array_equal(weights, np.rint(weights / qrs_net.WEIGHT_UNIT) * qrs_net.WEIGHT_UNIT)


@settings(max_examples=10, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_any_split_gives_the_same_bits(sizes: list[int]) -> None:
    x = heart(steady(95, 20), 20, noise_mv=0.08)
    net = QrsNet()
    parted = np.concatenate([net.process(piece) for piece in pieces(x, sizes)])
    assert np.array_equal(parted, QrsNet().process(x))


def test_a_beat_is_likely_two_hundred_milliseconds_after_it_and_not_elsewhere() -> None:
    peaks = steady(75, 20)
    odds = QrsNet().process(heart(peaks, 20))
    at = peaks // qrs_net.FRAME + qrs_net.LOOKAHEAD
    near = np.zeros(len(odds), bool)
    for shift in range(-4, 5):
        near[at + shift] = True
    assert odds[at].min() > 0.0
    assert odds[~near][100:].max() < 0.0


def test_after_a_reset_the_network_is_as_new() -> None:
    x = heart(steady(70, 10), 10)
    net = QrsNet()
    first = net.process(x)
    net.reset()
    assert np.array_equal(net.process(x), first)


@settings(max_examples=10, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_pulses_of_two_samples_are_taken_away_however_the_signal_is_split(
    sizes: list[int],
) -> None:
    x = np.zeros(3000)
    x[100::200] = 5.0
    x[101::200] = -3.0
    unspiked = Unspiked()
    whole = np.concatenate([unspiked.process(piece) for piece in pieces(x, sizes)])
    assert len(whole) == len(x) - qrs_net.SPIKE
    assert not whole.any()


def test_without_its_spikes_the_signal_stays_in_its_place() -> None:
    x = heart(steady(75, 10), 10)
    unspiked = Unspiked().process(x)
    assert np.abs(unspiked - x[: len(unspiked)]).max() < 0.1
