"""The rule of the verdicts: every boundary, and noise and planted effects of known size through the tables."""

import numpy as np
import pytest

from results.ledger.effect import NAN, Headline, Measure, Stated, Verdict, headline, paired, stated, verdict
from results.ledger.write import CLAIMS

SMALLEST = 0.1


def judged(effect, low, high, published=NAN, little=False):
    words = Stated("x", "share", little, "chance", SMALLEST, "because", "2026-11-27")
    return verdict(Headline(effect, low, high, 1, 3, 10), words, published)


@pytest.mark.parametrize(
    ("effect", "low", "high", "published", "expected"),
    [
        (0.2, 0.1, 0.3, NAN, Verdict.REPRODUCED),
        (0.1, 1e-9, 0.2, NAN, Verdict.REPRODUCED),  # exactly the smallest effect of interest
        (0.1 - 1e-9, 0.05, 0.2, NAN, Verdict.INCONCLUSIVE),  # surely there, perhaps too small
        (0.2, 0.0, 0.4, NAN, Verdict.INCONCLUSIVE),  # zero itself is not excluded
        (0.2, -0.1, 0.4, NAN, Verdict.INCONCLUSIVE),
        (0.0, -0.1, 0.1, NAN, Verdict.INCONCLUSIVE),  # the smallest effect of interest is not excluded
        (0.0, -0.1, 0.1 - 1e-9, NAN, Verdict.FAILED),
        (0.05, 0.01, 0.09, NAN, Verdict.FAILED),  # there, but surely of no interest
        (-0.3, -0.4, -0.2, NAN, Verdict.FAILED),
        (0.2, 0.1, 0.3, 0.3, Verdict.REPRODUCED),  # the published effect is not excluded
        (0.2, 0.1, 0.3, 0.3 + 1e-9, Verdict.WEAKER),
        (0.09, 0.01, 0.11, 0.5, Verdict.WEAKER),
        (0.05, 0.01, 0.09, 0.5, Verdict.FAILED),
        (0.2, -0.1, 0.3, 0.5, Verdict.INCONCLUSIVE),
        (0.9, 0.8, 1.0, 0.5, Verdict.REPRODUCED),  # stronger than published
        (0.5, NAN, NAN, NAN, Verdict.INCONCLUSIVE),  # no interval
        (-0.5, NAN, NAN, 0.5, Verdict.INCONCLUSIVE),
    ],
)
def test_a_claim_that_something_is_there(effect, low, high, published, expected):
    assert judged(effect, low, high, published) is expected


@pytest.mark.parametrize(
    ("effect", "low", "high", "expected"),
    [
        (0.0, -0.05, 0.05, Verdict.REPRODUCED),
        (0.0, -0.1, 0.05, Verdict.INCONCLUSIVE),
        (0.0, -0.05, 0.1, Verdict.INCONCLUSIVE),
        (0.2, 0.1, 0.3, Verdict.INCONCLUSIVE),  # the smallest effect of interest is not excluded
        (0.2, 0.1 + 1e-9, 0.3, Verdict.FAILED),
        (-0.2, -0.3, -0.1 - 1e-9, Verdict.FAILED),
        (0.0, NAN, NAN, Verdict.INCONCLUSIVE),
    ],
)
def test_a_claim_that_something_hardly_occurs(effect, low, high, expected):
    assert judged(effect, low, high, little=True) is expected


def measure(effect, half, network="a", seed=0, **more):
    return Measure("x", network, seed, effect, effect - half, effect + half, 10, **more)


def test_networks_share_items_unless_they_have_their_own():
    shared = headline([measure(0.1, 0.02), measure(0.3, 0.04, "b")])
    assert (shared.effect, shared.low, shared.high) == pytest.approx((0.2, 0.17, 0.23))
    assert (shared.networks, shared.seeds, shared.items) == (2, 1, 10)
    own = headline([measure(0.1, 0.03, own=True), measure(0.3, 0.04, "b", own=True)])
    assert (own.low, own.high, own.items) == (pytest.approx(0.175), pytest.approx(0.225), 20)


def test_a_network_with_more_rows_counts_once():
    found = headline([measure(0.0, 0.1), measure(0.0, 0.1), measure(0.3, 0.1, "b")])
    assert found.effect == pytest.approx(0.15)


def test_over_seeds_the_interval_holds_seeds_and_items():
    """Student's 4.303 s / sqrt(3) over the seeds, and the items' half width, as legs of a right angle."""
    effects = (0.1, 0.2, 0.6)
    found = headline([measure(effect, 0.3, seed=seed) for seed, effect in enumerate(effects)])
    reach = np.hypot(4.302652729911275 * np.std(effects, ddof=1) / 3**0.5, 0.3)
    assert (found.low, found.high) == pytest.approx((0.3 - reach, 0.3 + reach))
    none = headline([Measure("x", "a", seed, effect, NAN, NAN, 1) for seed, effect in enumerate(effects)])
    assert none.high - none.effect == pytest.approx((reach**2 - 0.09) ** 0.5)


def test_seeds_that_not_every_network_has_are_left_out():
    rows = [measure(0.1, 0.1), measure(0.3, 0.1, "b"), measure(9.0, 0.1, seed=1)]
    assert (headline(rows).effect, headline(rows).seeds) == (pytest.approx(0.2), 1)
    apart = [measure(0.1, 0.1), measure(0.3, 0.1, "b", seed=1)]
    assert headline(apart).seeds == 2  # no seed has both: all count


def test_of_several_settings_the_claim_must_hold_in_all():
    rows = [measure(effect, 0.1, setting=str(effect)) for effect in (-0.3, 0.2, 0.4)]
    found = headline(rows)
    assert (found.low, found.effect, found.high) == pytest.approx((-0.4, 0.2, 0.5))
    assert judged(found.effect, found.low, found.high) is Verdict.INCONCLUSIVE


def test_a_difference_of_independent_numbers():
    assert paired(1.0, 0.7, 1.3, 0.5, 0.1, 0.9) == pytest.approx((0.5, 0.0, 1.0))
    assert paired(1.0, 0.7, 1.3, 0.5) == pytest.approx((0.5, 0.2, 0.8))


def test_every_claim_that_needs_no_people_has_a_dated_smallest_effect():
    known = stated()
    silent = {claim.id for claim in CLAIMS if claim.stated is None}
    assert silent == {"E3a", "C4"}
    assert {claim.id for claim in CLAIMS} - silent == set(known)
    for words in known.values():
        assert words.smallest > 0
        assert words.stated
        assert words.reason
        assert words.little or words.beyond


@pytest.mark.parametrize("seeds", [1, 3])
def test_noise_is_hardly_ever_reproduced_and_a_planted_effect_hardly_ever_missed(seeds):
    """400 draws: items of three networks around zero, or around twice the smallest effect of interest."""
    counts = {}
    for planted in (0.0, 2 * SMALLEST):
        rng, found = np.random.default_rng(1), []
        for _ in range(400):
            rows = []
            for seed in range(seeds):
                for network in "abc":
                    items = planted + rng.normal(0, 0.2, 40)
                    half = 1.96 * items.std(ddof=1) / 40**0.5
                    rows.append(measure(float(items.mean()), half, network, seed))
            whole = headline(rows)
            found.append(judged(whole.effect, whole.low, whole.high))
        counts[planted] = {each: found.count(each) / 400 for each in Verdict}
    assert counts[0.0][Verdict.REPRODUCED] <= 0.025
    assert counts[2 * SMALLEST][Verdict.REPRODUCED] >= 0.9
    assert counts[2 * SMALLEST][Verdict.FAILED] <= 0.01
