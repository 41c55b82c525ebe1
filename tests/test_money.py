"""Money: minor units, rounding half to even, and parts that add up to the last cent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.money import minor_unit, quantize, share

PROVE = settings(derandomize=True, deadline=None, max_examples=200)
cents = st.integers(-(10**9), 10**9).map(lambda n: Decimal(n).scaleb(-2))
weights = st.lists(st.integers(0, 10**7).map(lambda n: Decimal(n).scaleb(-2)), max_size=9)


@pytest.mark.parametrize(
    ("currency", "unit"), [("USD", "0.01"), ("EUR", "0.01"), ("JPY", "1"), ("kwd", "0.001")]
)
def test_each_currency_has_its_minor_unit(currency: str, unit: str) -> None:
    """Yen have no cents, Kuwaiti dinars have thousandths, whatever the case of the code."""
    assert minor_unit(currency) == Decimal(unit)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.125", "USD", "0.12"),
        ("0.135", "USD", "0.14"),
        ("-0.125", "USD", "-0.12"),
        ("2.5", "JPY", "2"),
        ("1.0005", "KWD", "1.000"),
    ],
)
def test_halves_go_to_the_even_neighbour(amount: str, currency: str, rounded: str) -> None:
    """An amount is rounded to its currency's minor unit, halves to even."""
    assert str(quantize(Decimal(amount), currency)) == rounded


@PROVE
@given(cents, weights, st.sampled_from(["USD", "JPY", "KWD"]))
def test_parts_add_up(total: Decimal, weights: list[Decimal], currency: str) -> None:
    """Whatever the weights, the parts are as many and add up to the total exactly."""
    parts = share(total, weights, currency)
    assert len(parts) == len(weights)
    assert not weights or sum(parts) == total


@PROVE
@given(st.integers(0, 10**9), weights.filter(any))
def test_no_part_is_off_by_more_than_a_unit(total: int, weights: list[Decimal]) -> None:
    """Each part is within one minor unit of its exact share."""
    amount = Decimal(total).scaleb(-2)
    for part, weight in zip(share(amount, weights, "USD"), weights, strict=True):
        assert abs(part - amount * weight / sum(weights)) < Decimal("0.010001")


def test_the_largest_remainder_gets_the_rest() -> None:
    """A cent that is left goes to the part that lost most by rounding; ties to the first."""
    thirds = share(Decimal("0.10"), [Decimal(1)] * 3, "USD")
    assert thirds == [Decimal("0.04"), Decimal("0.03"), Decimal("0.03")]
    assert share(Decimal("1.00"), [Decimal(1), Decimal(2)], "USD") == [
        Decimal("0.33"),
        Decimal("0.67"),
    ]


def test_without_weights_parts_are_even() -> None:
    """Nothing to go by means even parts; no parts at all mean none."""
    assert share(Decimal("1.00"), [Decimal(0), Decimal(0)], "USD") == [Decimal("0.50")] * 2
    assert share(Decimal("1.00"), [], "USD") == []
