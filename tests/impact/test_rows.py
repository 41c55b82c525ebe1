"""Rows to data: strings or numbers, absent in three forms, bad rows named."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawback.impact.models import ActionState, SubmissionStatus
from clawback.impact.rows import ACTIONS, ITEMS, SUBMISSIONS, UPDATES, Reader

FUZZ = settings(
    derandomize=True,
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # the first text loads Unicode's tables
)

ACTION: dict[str, Any] = {
    "Id": "1000.4636.158133",
    "CampaignId": "1000",
    "ActionTrackerId": "2240",
    "ActionTrackerName": "Sale",
    "MediaPartnerId": "10000",
    "MediaPartnerName": "Acme Partner",
    "State": "PENDING",
    "Payout": "0.88",
    "Amount": "21.99",
    "Currency": "USD",
    "EventDate": "2020-09-10T10:42:38-07:00",
    "CreationDate": "2020-09-10T10:51:23-07:00",
    "LockingDate": "2020-09-26T00:00:00-07:00",
    "ClearedDate": "",
    "Oid": "9217374917472",
    "CustomerId": "BCZ2WVSH674563PDPYOTM3AXDQ",
    "SomethingNew": {"of": ["v15"]},
}
UPDATE = {
    "Id": "1000.4636.158133.95095059",
    "ActionId": "1000.4636.158133",
    "ActionTrackerId": "2240",
    "State": "PENDING",
    "Disposition": "IR_BLANK",
    "DeltaPayout": "0.65",
    "DeltaAmount": "16.29",
    "Currency": "USD",
    "Sku": "12345",
    "Quantity": "2",
    "UpdateDate": "2020-09-10T10:51:23-07:00",
    "ActionDate": "2020-09-10T10:42:38-07:00",
    "Oid": "9217374917472",
}
ITEM = {
    "Sku": "12345",
    "Quantity": "2",
    "SaleAmount": "19.27",
    "SaleAmountCurrency": "USD",
    "Payout": "0.77",
    "AdjustmentDate": "",
    "AdjustmentReason": "",
}
SUBMISSION = {
    "BatchId": "A-1",
    "Status": "In Progress",
    "Type": "Modification",
    "SubmissionDate": "2020-09-10T09:50:12-07:00",
}


def test_the_documented_action_is_read_whole() -> None:
    """Names, types and zones of reference §2.5 come out as plain data in UTC."""
    action = ACTIONS.one(ACTION)
    assert (action.id, action.tracker_id, action.oid) == (ACTION["Id"], "2240", "9217374917472")
    assert (action.amount, action.payout) == (Decimal("21.99"), Decimal("0.88"))
    assert action.state is ActionState.PENDING
    assert action.event_date == datetime(2020, 9, 10, 17, 42, 38, tzinfo=UTC)
    assert action.locking_date == datetime(2020, 9, 26, 7, tzinfo=UTC)
    assert action.cleared_date is None
    assert "BCZ2WVSH" not in repr(action)
    with pytest.raises(FrozenInstanceError):
        action.amount = Decimal(0)  # type: ignore[misc]


def test_numbers_and_strings_are_the_same() -> None:
    """What the specification declares as numbers may come as strings and the other way round."""
    numbers = {**ACTION, "CampaignId": 1000, "ActionTrackerId": 2240.0, "Amount": 21.99}
    assert ACTIONS.one({**numbers, "Payout": 0.88, "Oid": 9217374917472}) == ACTIONS.one(ACTION)
    assert UPDATES.one({**UPDATE, "Quantity": 2.0}).quantity == 2
    assert ITEMS.one({**ITEM, "Quantity": 2, "SaleAmount": 19.27}) == ITEMS.one(ITEM)


@pytest.mark.parametrize("absent", ["", "  ", None, ...])
def test_empty_null_and_missing_are_the_same(absent: Any) -> None:
    """Three ways of saying nothing read alike."""
    names = ("LockingDate", "Oid", "ActionTrackerName")
    row = {k: v for k, v in ACTION.items() if k not in names}
    row |= {} if absent is ... else dict.fromkeys(names, absent)
    action = ACTIONS.one(row)
    assert (action.locking_date, action.oid, action.tracker_name) == (None, "", "")


def test_a_v11_update_with_only_its_core_is_read() -> None:
    """The short model of version 11 is enough (impact-schemas §8)."""
    core = {k: UPDATE[k] for k in ("Id", "ActionId", "DeltaPayout", "UpdateDate")}
    update = UPDATES.one(core)
    assert (update.delta_amount, update.quantity, update.sku) == (Decimal(0), None, "")


@pytest.mark.parametrize(
    ("field", "value", "flaw"),
    [
        ("Amount", "", "Amount is empty"),
        ("Amount", "1,234.50", "Amount is no amount but '1,234.50'"),
        ("Amount", "NaN", "Amount is no amount"),
        ("Amount", "1e9", "Amount is no amount"),
        ("Amount", "1_000", "Amount is no amount"),
        ("Amount", 1e300, "Amount is no amount"),
        ("Amount", True, "Amount is no amount"),
        ("Amount", ["1"], "Amount is no amount but a list"),
        ("State", "MODIFIED", "State is none of PENDING, APPROVED, REVERSED but 'MODIFIED'"),
        ("EventDate", "2020-09-10", "EventDate has no offset from UTC"),
        ("EventDate", "yesterday", "EventDate is no time"),
        ("EventDate", "9999-12-31T23:59:59-12:00", "EventDate is no time"),
        ("EventDate", 1600000000, "EventDate is no time"),
        ("Id", "", "Id is empty"),
        ("Id", {"a": 1}, "Id is no text but a dict"),
        ("Id", 1e300, "Id is no text"),
        ("Oid", "x" * 5000, "Oid is 5000 characters long"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_kept(field: str, value: Any, flaw: str) -> None:
    """One wrong field costs its own row, not the page, and is told by name."""
    raw = [ACTION, {**ACTION, "Id": "1.2.3", field: value}, {**ACTION, "Id": "1.2.4"}]
    rows, bad = ACTIONS.rows(raw, page=3)
    assert [row.id for row in rows] == [ACTION["Id"], "1.2.4"]
    assert (bad[0].page, bad[0].index) == (3, 1)
    assert len(bad[0].errors) == 1
    assert bad[0].errors[0].startswith(flaw)
    assert "row 2 of page 3" in str(bad[0])


def test_all_flaws_of_a_row_are_told_at_once() -> None:
    """A row with several faults names each; a row that is no mapping is a bad row too."""
    missing = {k: v for k, v in ACTION.items() if k != "CampaignId"}
    rows, bad = ACTIONS.rows([{**missing, "Amount": "x", "State": ""}, None, 7, "text"])
    assert rows == []
    assert {error.split()[0] for error in bad[0].errors} == {"CampaignId", "Amount", "State"}
    assert [b.errors for b in bad[1:]] == [("it is no mapping",)] * 3


def test_customer_fields_never_stand_in_a_flaw() -> None:
    """A customer's data is not read, nor quoted of a row that cannot be."""
    rows, _ = ACTIONS.rows([{**ACTION, "CustomerId": "jane@example.com"}])
    assert "jane" not in repr(rows)
    _, bad = ACTIONS.rows([{**ACTION, "CustomerId": "jane@example.com", "Amount": "x"}])
    assert "jane" not in str(bad[0])


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Queued", SubmissionStatus.QUEUED),
        ("QUEUED", SubmissionStatus.QUEUED),
        ("in progress", SubmissionStatus.IN_PROGRESS),
        ("IN_PROGRESS", SubmissionStatus.IN_PROGRESS),
        ("Complete", SubmissionStatus.COMPLETE),
        ("Paused", SubmissionStatus.UNKNOWN),
        ("", SubmissionStatus.UNKNOWN),
    ],
)
def test_a_status_is_read_whatever_its_spelling(word: str, status: SubmissionStatus) -> None:
    """Case and blanks do not matter (reference §4); an unknown word is not final."""
    submission = SUBMISSIONS.one({**SUBMISSION, "Status": word})
    assert submission.status is status
    assert submission.status.is_final == (word == "Complete")


def test_complete_is_not_success() -> None:
    """A complete submission with an error has failed; one still under way has not."""
    complete = {**SUBMISSION, "Status": "Complete"}
    assert not SUBMISSIONS.one(complete).failed
    assert SUBMISSIONS.one({**complete, "ErrorType": "Validation"}).failed
    assert SUBMISSIONS.one({**complete, "ErrorReason": "NO_ITEM"}).failed
    assert not SUBMISSIONS.one({**SUBMISSION, "ErrorType": "Validation"}).failed


def test_a_long_payload_is_cut_and_not_shown() -> None:
    """A bulk form of many items does not make its submission unreadable."""
    submission = SUBMISSIONS.one({**SUBMISSION, "Payload": "Sku=1&" * 9000})
    assert 0 < len(submission.payload) <= 4000
    assert "Sku=1" not in repr(submission)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["1.00", "PENDING", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@FUZZ
@given(st.data())
@pytest.mark.parametrize(
    ("reader", "example"), [(ACTIONS, ACTION), (UPDATES, UPDATE), (ITEMS, ITEM)]
)
def test_every_row_is_read_or_named(
    reader: Reader[Any], example: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever values come, rows in equal rows read plus rows named, and nothing else is raised."""
    changes = st.dictionaries(st.sampled_from(sorted(example)), scalars, max_size=4)
    raw: list[Any] = [{**example, **change} for change in data.draw(st.lists(changes, max_size=4))]
    raw += data.draw(st.lists(scalars, max_size=1))
    rows, bad = reader.rows(raw)
    assert len(rows) + len(bad) == len(raw)
    assert all(entry.errors for entry in bad)


@FUZZ
@given(st.data())
@pytest.mark.parametrize(
    ("reader", "example"), [(ACTIONS, ACTION), (UPDATES, UPDATE), (ITEMS, ITEM)]
)
def test_the_quick_way_reads_what_the_slow_way_reads(
    reader: Reader[Any], example: dict[str, Any], data: st.DataObject
) -> None:
    """A page that is read column by column comes out as it does row by row, flaws and all."""
    plain = st.sampled_from(["1", "2.50", "\n1", "1\n2", "", " x ", "PENDING", "pending", None, 7])
    changes = st.dictionaries(st.sampled_from(sorted(example)), st.one_of(plain, scalars))
    raw: list[Any] = [{**example, **change} for change in data.draw(st.lists(changes, max_size=4))]
    for row in raw:
        for name in data.draw(st.lists(st.sampled_from(sorted(example)), max_size=2)):
            row.pop(name, None)
    assert reader.rows(raw) == reader.row_by_row(raw, 1)


@FUZZ
@given(st.data())
@pytest.mark.parametrize(
    ("reader", "example"), [(ACTIONS, ACTION), (UPDATES, UPDATE), (ITEMS, ITEM)]
)
def test_rows_that_are_still_json_read_the_same(
    reader: Reader[Any], example: dict[str, Any], data: st.DataObject
) -> None:
    """A list comes out as its rows do, whether they were decoded before or not."""
    texts = st.sampled_from(["1", "2.50", "\n1", "", " x ", "PENDING", "é\u2028", "NaN", None, 7])
    changes = st.dictionaries(st.sampled_from(sorted(example)), st.one_of(texts, scalars))
    raw: list[Any] = [{**example, **change} for change in data.draw(st.lists(changes, max_size=4))]
    raw += data.draw(st.lists(scalars, max_size=1))
    content = json.dumps(raw).encode() if _is_json(raw) else b"[]"
    assert reader.rows(msgspec.Raw(content)) == reader.row_by_row(orjson.loads(content), 1)


def _is_json(raw: Any) -> bool:
    try:
        json.dumps(raw, allow_nan=False).encode()
    except ValueError:
        return False
    return True


def test_a_page_without_a_flaw_takes_the_quick_way() -> None:
    """What impact.com documents is read without a look at single rows."""
    for reader, example in ((ACTIONS, ACTION), (UPDATES, UPDATE), (ITEMS, ITEM)):
        assert len(reader.columns.rows([example] * 3)) == 3
        content = json.dumps([example] * 3).encode()
        assert reader.columns.unread(msgspec.Raw(content)) == reader.columns.rows([example] * 3)


@pytest.mark.parametrize("content", [b'[{"Id": "\xff"}]', b"[{]", b'[{"Id": 1]'])
def test_rows_that_are_no_json_are_told(content: bytes) -> None:
    """A list that only looked like one raises ValueError; the listing makes an error of it."""
    with pytest.raises(ValueError, match=r"\w"):
        ACTIONS.rows(msgspec.Raw(content))
