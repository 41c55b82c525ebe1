"""Reason and disposition codes by verb (reference §3)."""

from __future__ import annotations

import pytest

from clawback.impact.codes import DISPOSITION_CODES, PUT_REASONS, Verb, check_reason


def test_the_two_lists_are_those_of_the_documents() -> None:
    """PUT and DELETE share most codes and differ in the ones reference §3.2 names."""
    assert {"ORDER_UPDATE", "PARTNER_NOT_ACTIVE"} == PUT_REASONS - DISPOSITION_CODES
    assert {"REJECTED", "CONS_INFO_INVALID", "MP_RETURNED"} == DISPOSITION_CODES - PUT_REASONS
    assert (len(PUT_REASONS), len(DISPOSITION_CODES)) == (13, 14)


@pytest.mark.parametrize(
    ("verb", "code"), [("modify", "ORDER_UPDATE"), ("reverse", "MP_RETURNED"), ("modify", "Own_1")]
)
def test_standard_and_custom_codes_pass(verb: Verb, code: str) -> None:
    """A standard code, or one the account has configured, is taken as it is."""
    assert check_reason(verb, code, {"Own_1"}) == code


@pytest.mark.parametrize(
    ("verb", "code", "mend"),
    [
        ("modify", "order_update", "case-sensitive, write 'ORDER_UPDATE'"),
        ("modify", "own_1", "case-sensitive, write 'Own_1'"),
        ("modify", "REJECTED", "that code is for the other write"),
        ("reverse", "ORDER_UPDATE", "that code is for the other write"),
        ("reverse", "BROKEN", "add it to the account's custom codes"),
        ("modify", "", "use one of"),
        ("modify", "RESET", "clawback reset"),
        ("modify", "APPROVED", "never"),
    ],
)
def test_any_other_code_is_refused_with_the_mend(verb: Verb, code: str, mend: str) -> None:
    """A wrong code is caught before impact.com sees it, and the error says what to write."""
    with pytest.raises(ValueError, match=r"(?i)code|reason") as caught:
        check_reason(verb, code, {"Own_1"})
    assert mend in str(caught.value)


def test_reserved_codes_are_refused_even_if_configured() -> None:
    """RESET and APPROVED cannot come from a mapping (reference §3.3)."""
    with pytest.raises(ValueError, match="merchant reasons"):
        check_reason("modify", "APPROVED", {"APPROVED"})
