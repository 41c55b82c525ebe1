"""Walks the reference's sections on writing (§3-§5, §8): every field, form, rule and enum."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from clawback.sandbox import fields as f

ID = {"ActionId": "1000.4636.1"}
ORDER = {"ActionTrackerId": "2240", "OrderId": "ORDER-1"}
ALIAS = {"EventTypeId": "2240", "OrderId": "ORDER-1"}
UPDATE = {"Reason": "ORDER_UPDATE"}

# §3.1's lists of codes, and §3.2's, as they are printed there.
REASONS = [
    "ORDER_UPDATE",
    "ITEM_RETURNED",
    "CONS_FRAUD",
    "CONS_ERROR",
    "ORDER_ERROR",
    "PUB_ACT_DISPUTE",
    "ADV_ACT_DISPUTE",
    "NOT_COMPLIANCE_TERMS",
    "ITEM_OUT_OF_STOCK",
    "TEST_ACTION",
    "PARTNER_NOT_ACTIVE",
    "CREDITED_DIFFERENT_MP",
    "OTHER",
    "RESET",
]
REJECTING = [
    "REJECTED",
    "CONS_INFO_INVALID",
    "CONS_ERROR",
    "CONS_FRAUD",
    "ITEM_RETURNED",
    "ITEM_OUT_OF_STOCK",
    "ORDER_ERROR",
    "PUB_ACT_DISPUTE",
    "NOT_COMPLIANCE_TERMS",
    "MP_RETURNED",
    "OTHER",
    "CREDITED_DIFFERENT_MP",
    "ADV_ACT_DISPUTE",
    "TEST_ACTION",
]

# Row of the reference, the form, and (quantity, amount) of A and B, then State and CustomerStatus.
SAME = (("2", "40.00"), ("1", "60.00"))
MODIFIED: list[tuple[str, dict[str, str], tuple[Any, ...], str]] = [
    ("§3.1 ActionId", {**ID, **UPDATE, "Sku": "A", "Quantity": "1"}, (("1", "20.00"), SAME[1]), ""),
    (
        "§3.1 ActionTrackerId+OrderId",
        {**ORDER, **UPDATE, "Sku": "A", "Quantity": "1"},
        (("1", "20.00"), SAME[1]),
        "",
    ),
    (
        "§8 EventTypeId is an alias",
        {**ALIAS, **UPDATE, "Sku": "A", "Quantity": "1"},
        (("1", "20.00"), SAME[1]),
        "",
    ),
    ("§3.1 DispositionCode", {**ID, **UPDATE, "DispositionCode": "ORDER_UPDATE"}, SAME, ""),
    ("§3.1 Reason alone", {**ID, **UPDATE}, SAME, ""),
    (
        "§3.1 Amount, no Sku: new total",
        {**ID, **UPDATE, "Amount": "10"},
        (("2", "4.00"), ("1", "6.00")),
        "",
    ),
    (
        "§3.1 Amount 0 reverses",
        {**ID, **UPDATE, "Amount": "0.00"},
        (("0", "0.00"), ("0", "0.00")),
        "REVERSED",
    ),
    (
        "§3.1 Amount with Sku",
        {**ID, **UPDATE, "Sku": "A", "Amount": "7.5"},
        (("2", "7.50"), SAME[1]),
        "",
    ),
    ("§3.1 CustomerStatus", {**ID, **UPDATE, "CustomerStatus": "EXISTING"}, SAME, "EXISTING"),
    (
        "§3.1 bulk Sku, Sku2",
        {**ID, **UPDATE, "Sku": "B", "Quantity": "0", "Sku2": "A", "Quantity2": "1"},
        (("1", "20.00"), ("0", "0.00")),
        "",
    ),
    (
        "§3.1 bulk with a gap",
        {**ID, **UPDATE, "Sku": "A", "Quantity": "1", "Sku7": "B", "Amount7": "5"},
        (("1", "20.00"), ("1", "5.00")),
        "",
    ),
    (
        "§3.1 Quantity 0 reverses the item",
        {**ID, **UPDATE, "Sku": "A", "Quantity": "0"},
        (("0", "0.00"), SAME[1]),
        "",
    ),
    (
        "§3.1 Quantity is absolute",
        {**ID, **UPDATE, "Sku": "A", "Quantity": "3"},
        (("3", "60.00"), SAME[1]),
        "",
    ),
    ("§3.1 Category", {**ID, **UPDATE, "Sku": "A", "Category": "x" * 255}, SAME, ""),
    (
        "§3.1 ItemSubTotalDelta",
        {**ID, **UPDATE, "Sku": "B", "ItemSubTotalDelta": "-5.0"},
        (SAME[0], ("1", "55.00")),
        "",
    ),
    (
        "§3.1 ItemSubTotalDelta upwards",
        {**ID, **UPDATE, "Sku": "B", "ItemSubTotalDelta": "+5"},
        (SAME[0], ("1", "65.00")),
        "",
    ),
    (
        "Help: New item quantity",
        {**ID, "Sku": "B", "Quantity": "2", **UPDATE},
        (SAME[0], ("2", "120.00")),
        "",
    ),
    (
        "Help: New item revenue amount",
        {**ID, "Sku": "B", "Amount": "59.99", **UPDATE},
        (SAME[0], ("1", "59.99")),
        "",
    ),
    ("§3.1 no ItemName, no Rebate", {**ID, **UPDATE, "ItemName": "x", "Rebate": "9"}, SAME, ""),
    (
        "§3.1 not modifiable",
        {**ID, **UPDATE, "EventDate": "2020-01-01T00:00:00Z", "Currency": "EUR", "PromoCode": "X"},
        SAME,
        "",
    ),
    ("§3.3 RESET of what is untouched", {**ID, "Reason": "RESET"}, SAME, ""),
]

REFUSED: list[tuple[str, str, dict[str, str], str]] = [
    ("§3.1 no new items", "PUT", {**ID, **UPDATE, "Sku": "NEW"}, "ITEM_NOT_FOUND"),
    ("§3.1 Sku is case-sensitive", "PUT", {**ID, **UPDATE, "Sku": "a"}, "ITEM_NOT_FOUND"),
    (
        "§3.4 Reason is case-sensitive",
        "PUT",
        {**ID, "Reason": "Order_Update"},
        "DISPOSITION_CODE_NOT_FOUND",
    ),
    ("§3.2 REJECTED is for DELETE", "PUT", {**ID, "Reason": "REJECTED"}, "DISPOSITION_CODE_NOT_F"),
    (
        "§3.1 no other DispositionCode",
        "PUT",
        {**ID, **UPDATE, "DispositionCode": "ITEM_RETURNED"},
        "DISPOSITION_CODE_NOT_FOUND",
    ),
    (
        "§3.1 CustomerStatus must be configured",
        "PUT",
        {**ID, **UPDATE, "CustomerStatus": "new"},
        "CUSTOMER_STATUS_NOT_FOUND",
    ),
    (
        "§3.2 PARTNER_NOT_ACTIVE is for PUT",
        "DELETE",
        {**ID, "DispositionCode": "PARTNER_NOT_ACTIVE"},
        "DISPOSITION_CODE_NOT_FOUND",
    ),
    (
        "§3.2 MP_RETURN is an AdjustmentReason",
        "DELETE",
        {**ID, "DispositionCode": "MP_RETURN"},
        "DISPOSITION_CODE_NOT_FOUND",
    ),
    ("§3.3 RESET does not reject", "DELETE", {**ID, "DispositionCode": "RESET"}, "DISPOSITION_"),
    (
        "§2.5 ids are opaque and whole",
        "PUT",
        {"ActionId": "1000.4636", **UPDATE},
        "ACTION_NOT_FOUND",
    ),
    (
        "§8 order ids are scoped per event type",
        "DELETE",
        {"ActionTrackerId": "2241", "OrderId": "ORDER-1", "DispositionCode": "REJECTED"},
        "ACTION_NOT_FOUND",
    ),
]


def test_3_1_3_2_lists_of_codes() -> None:
    """§3.1, §3.2: the codes are those of the two lists, no more and no fewer."""
    assert set(REASONS) == f.REASONS
    assert set(REJECTING) == f.REJECTING_CODES


@pytest.mark.parametrize(
    ("row", "form", "items", "seen"), MODIFIED, ids=[case[0] for case in MODIFIED]
)
def test_3_1_modify(
    desk: Any, row: str, form: dict[str, str], items: tuple[Any, ...], seen: str
) -> None:
    """§3.1: every field and every form of a PUT does what its row says, and nothing else."""
    before = desk.action()
    desk.done(desk.send("PUT", form))
    shown = desk.action()
    assert tuple((i["Quantity"], i["SaleAmount"]) for i in desk.items().values()) == items, row
    assert shown["State"] == (seen if seen in f.STATES else "PENDING")
    assert shown["CustomerStatus"] == (seen if seen and seen not in f.STATES else "NEW")
    kept = ("Id", "Oid", "EventDate", "CreationDate", "LockingDate", "Currency", "MediaPartnerId")
    assert [shown[name] for name in kept] == [before[name] for name in kept]
    assert [i["ItemName"] for i in desk.items().values()] == ["Item A", "Item B"]
    assert desk.action(2)["Amount"] == "100.00"


@pytest.mark.parametrize(
    ("row", "verb", "form", "reason"), REFUSED, ids=[case[0] for case in REFUSED]
)
def test_3_what_is_refused(
    desk: Any, row: str, verb: str, form: dict[str, str], reason: str
) -> None:
    """§3.1-3.4: what a row excludes is refused and changes nothing."""
    assert desk.refused(desk.send(verb, form)).startswith(reason), row
    assert desk.action()["Amount"] == "100.00"
    assert desk.updates() == []


@pytest.mark.parametrize("address", [ID, ORDER, ALIAS])
def test_3_2_reverse(desk: Any, address: dict[str, str]) -> None:
    """§3.2: DELETE by either address gives REVERSED, every item at 0, and an update per item."""
    desk.done(desk.send("DELETE", {**address, "DispositionCode": "MP_RETURNED"}))
    shown = desk.action()
    assert (shown["State"], shown["Amount"], shown["Payout"]) == ("REVERSED", "0.00", "0.00")
    assert (shown["DeltaAmount"], shown["IntendedAmount"]) == ("-100.00", "100.00")
    assert {(i["Quantity"], i["AdjustmentReason"]) for i in desk.items().values()} == {
        ("0", "MP_RETURNED")
    }
    assert [(r["Sku"], r["Quantity"], r["DeltaAmount"]) for r in desk.updates()] == [
        ("A", "0", "-40.00"),
        ("B", "0", "-60.00"),
    ]


def test_3_2_reason_means_nothing_to_delete(desk: Any) -> None:
    """§3.2: there is no Reason on DELETE; CustomerStatus and amounts mean nothing there (§8)."""
    form = {"Reason": "NO_SUCH", "CustomerStatus": "NO_SUCH", "Amount": "5", "Sku": "A"}
    desk.done(desk.delete(DispositionCode="REJECTED", **form))
    assert desk.action()["State"] == "REVERSED"


@pytest.mark.parametrize("how", ["modified", "reversed", "recategorised", "status"])
def test_3_3_reset_gives_the_original_back(desk: Any, how: str) -> None:
    """§3.3: RESET puts a modified or reversed action back to its original state."""
    first, items = desk.action(), desk.items()
    change: dict[str, Any] = {
        "modified": {"Sku": "A", "Quantity": "1"},
        "recategorised": {"Sku": "A", "Category": "Garden"},
        "status": {"CustomerStatus": "EXISTING"},
    }
    desk.done(desk.delete() if how == "reversed" else desk.put(**change[how]))
    desk.done(desk.put(Reason="RESET"))
    deltas = {"DeltaAmount": "", "DeltaPayout": ""}
    assert desk.action() | deltas == first | deltas
    adjusted = {"AdjustmentDate": "", "AdjustmentReason": ""}
    assert [i | adjusted for i in desk.items().values()] == list(items.values())


def test_3_3_restoring_in_the_ui(desk: Any) -> None:
    """§3.3: Approve on a reversed action in the UI returns it to pending."""
    desk.done(desk.delete())
    desk.act("restore")
    assert (desk.action()["State"], desk.action()["Amount"]) == ("PENDING", "100.00")


@pytest.mark.parametrize("field", ["DispositionCode", "Reason"])
def test_3_4_codes_of_the_account(desk_of: Any, field: str) -> None:
    """§3.4: a configured code works in its own case only."""
    desk = desk_of(profile={"modifying_codes": ["Size_Swap"]})
    desk.done(desk.put(Sku="A", Quantity="1", **{field: "Size_Swap"}))
    assert desk.updates()[0]["Disposition"] == "Size_Swap"
    wrong = desk.put(Sku="A", Quantity="0", **{field: "SIZE_SWAP"})
    assert desk.refused(wrong) == "DISPOSITION_CODE_NOT_FOUND"


@pytest.mark.parametrize("verb", ["put", "delete"])
def test_3_5_every_write_is_a_submission_of_its_own(desk: Any, verb: str) -> None:
    """§3.5: no idempotency key; what is sent twice is queued twice."""
    uris = [getattr(desk, verb)().json()["QueuedUri"] for _ in range(2)]
    assert len(set(uris)) == 2
    assert len(desk.json("APISubmissions")["APISubmission"]) == 2


def test_3_5_a_repeat_counts_again(desk: Any) -> None:
    """§3.5, §3.6: each retry counts as a modification, a refused one does not."""
    for _ in range(2):
        desk.done(desk.put(Sku="A", Quantity="1"))
    desk.refused(desk.put(Sku="NONE", Quantity="1"))
    [shown] = desk.control("GET", "state?action_id=1000.4636.1")["actions"]
    assert shown["_modifications"] == 2


@pytest.mark.parametrize("verb", ["put", "delete", "reset"])
def test_3_6_nothing_after_the_locking_date(desk_of: Any, make_action: Any, verb: str) -> None:
    """§3.6, §8: at the very second of the LockingDate the barrier is down; before, it is not."""
    locking = "2026-11-20T12:00:20Z"
    desk = desk_of([make_action(number, LockingDate=locking) for number in (1, 2)])
    reset = {"Reason": "RESET"}

    def send(number: int) -> Any:
        return desk.put(number, **reset) if verb == "reset" else getattr(desk, verb)(number)

    desk.pass_time(14)
    early = send(1)
    desk.pass_time(1)
    late = send(2)
    desk.pass_time(4)
    desk.done(early)
    assert desk.refused(late) == "ACTION_LOCKED"


@pytest.mark.parametrize("verb", ["put", "delete"])
def test_3_6_approved_before_locking_can_change(desk_of: Any, make_action: Any, verb: str) -> None:
    """§3.6: LockingDate, not State, is the documented barrier."""
    desk = desk_of([make_action(1, State="APPROVED")])
    desk.done(desk.put(Sku="A", Quantity="1") if verb == "put" else desk.delete())
    assert desk.action()["State"] == ("PENDING" if verb == "put" else "REVERSED")


@pytest.mark.parametrize("done", [999, 1000])
def test_3_6_a_thousand_modifications(desk_of: Any, make_action: Any, done: int) -> None:
    """§3.6: the 1,000th modification works and the 1,001st does not, whatever it is."""
    desk = desk_of([make_action(number, _modifications=done) for number in (1, 2, 3)])
    writes = [desk.put(1, Sku="A", Quantity="1"), desk.delete(2), desk.put(3, Reason="RESET")]
    if done == 999:
        assert [desk.settled(write)["ErrorType"] for write in writes] == [""] * 3
    else:
        assert {desk.refused(write) for write in writes} == {"MAX_MODIFICATIONS_REACHED"}


def test_3_6_by_order_a_write_hits_the_newest(desk_of: Any, make_action: Any) -> None:
    """§3.6, §8: of several actions the newest is hit, and one not reported yet is none."""
    numbers = {1: "2026-11-14T10:00:00Z", 2: "2026-11-16T10:00:00Z", 3: "2026-11-21T10:00:00Z"}
    world = [make_action(n, Oid="SAME", CreationDate=date) for n, date in numbers.items()]
    desk = desk_of(world)
    desk.done(desk.send("DELETE", {**ORDER, "OrderId": "SAME", "DispositionCode": "REJECTED"}))
    assert [desk.action(n)["State"] for n in (1, 2)] == ["PENDING", "REVERSED"]
    desk.pass_time(86400)
    assert desk.action(3)["State"] == "PENDING"


@pytest.mark.parametrize(
    ("verb", "kind", "form"),
    [
        ("PUT", "Modification", {**ID, **UPDATE, "Sku": "A B", "Quantity": "1"}),
        ("DELETE", "Reversal", {**ORDER, "DispositionCode": "REJECTED"}),
    ],
)
def test_4_fields_of_a_submission(desk: Any, verb: str, kind: str, form: dict[str, str]) -> None:
    """§4: BatchId, dates, ids of the action, the form as it was sent, Type, Status and Uri."""
    response = desk.send(verb, form)
    uri = response.json()["QueuedUri"]
    path = uri.removeprefix(desk.root + "/")
    queued = desk.json(path)
    assert (queued["CompletionDate"], queued["ErrorType"], queued["ErrorReason"]) == ("", "", "")
    submission = desk.settled(response)
    assert submission == queued | {
        "Status": "Complete",
        "CompletionDate": "2026-11-20T04:00:05-08:00",
        "ErrorType": submission["ErrorType"],
        "ErrorReason": submission["ErrorReason"],
    }
    assert queued | {"AccountId": "", "Status": ""} == {
        "BatchId": uri.rsplit("/", 1)[-1],
        "AccountId": "",
        "SubmissionDate": "2026-11-20T04:00:00-08:00",
        "CampaignId": "1000",
        "ActionTrackerId": "2240",
        "MediaPartnerId": "10000",
        "EventCode": "",
        "OrderId": "ORDER-1",
        "Payload": urlencode(form),
        "Type": kind,
        "Status": "",
        "CompletionDate": "",
        "ErrorType": "",
        "ErrorReason": "",
        "Uri": uri,
    }
    assert queued["BatchId"].startswith("A-")


def test_4_list_of_submissions(desk: Any) -> None:
    """§4: the key is APISubmission, newest first, with the paging keys; complete ones stay."""
    desk.done(desk.put(1, Sku="A", Quantity="1"))
    desk.refused(desk.delete(9))
    page = desk.json("APISubmissions")
    assert [row["Type"] for row in page["APISubmission"]] == ["Reversal", "Modification"]
    assert [row["ErrorType"] for row in page["APISubmission"]] == ["Validation", ""]
    assert (page["@total"], page["@page"], page["@numpages"]) == ("2", "1", "1")


def test_4_complete_can_hold_errors(desk_of: Any) -> None:
    """§4: several reasons stand in ErrorReason with spaces between."""
    texts = {"unknown_sku": ("Validation", "NO_SKU"), "out_of_range": ("Validation", "TOO_MUCH")}
    desk = desk_of(profile={"partial_failure": "apply_valid", "error_texts": texts})
    form = {"Sku": "A", "Quantity": "1", "Sku2": "NONE", "Sku3": "B", "ItemSubTotalDelta3": "-99"}
    submission = desk.settled(desk.put(**form))
    assert submission["Status"] == "Complete"
    assert submission["ErrorReason"] == "NO_SKU TOO_MUCH"
    assert desk.action()["Amount"] == "80.00"


def test_5_fields_of_an_update(desk: Any) -> None:
    """§5: one record per item, named after its action, dated when the change took effect."""
    desk.done(desk.put(Sku="A", Quantity="1", Category="Garden"))
    [row] = desk.updates()
    assert row["Id"] == f"{row['ActionId']}.{row['Id'].rsplit('.', 1)[-1]}"
    shown = desk.action()
    same = {"ActionDate": "EventDate", "ClearingDate": "ClearedDate", "ActionUri": "Uri"}
    same |= {n: n for n in ("Oid", "LockingDate", "Currency", "MediaPartnerId", "CampaignId")}
    assert {name: row[name] for name in same} == {n: shown[other] for n, other in same.items()}
    assert (row["EventTypeId"], row["EventTypeName"]) == ("2240", "Sale")
    assert (row["UpdateDate"], row["Category"]) == ("2026-11-20T04:00:05-08:00", "Garden")
    assert not {"OldPayout", "UpdateTypes", "UpdateReason"} & set(row)


def test_5_one_record_per_event(desk: Any) -> None:
    """§5: tracked, modified and reversed events leave records; their deltas add up to what is."""
    desk.done(desk.put(Sku="A", Quantity="1"))
    desk.done(desk.put(Amount="50"))
    desk.done(desk.delete())
    own = [r for r in desk.listed("ActionUpdates") if r["ActionId"] == "1000.4636.1"]
    assert [r["Disposition"] for r in own] == [
        *["ITEM_RETURNED"] * 2,
        *["ORDER_UPDATE"] * 3,
        *["IR_BLANK"] * 2,
    ]
    assert sum(float(r["DeltaAmount"]) for r in own) == float(desk.action()["Amount"]) == 0
    assert round(sum(float(r["DeltaPayout"]) for r in own), 2) == 0


def test_8_zero_amount_needs_delete(desk_of: Any, make_action: Any, make_item: Any) -> None:
    """§8: where nothing was earned, Amount=0 is a modification of an action that stays."""
    desk = desk_of([make_action(1, [make_item("LEAD", 1, "0.00", "5.00")])])
    desk.done(desk.put(Amount="0"))
    assert (desk.action()["State"], desk.action()["Payout"]) == ("PENDING", "5.00")


def test_8_open_ended_locks_after_730_days(desk_of: Any, make_action: Any) -> None:
    """§8: open-ended locking locks by itself after 730 days."""
    desk = desk_of([make_action(1, LockingDate="", EventDate="2026-11-19T12:00:00Z")])
    desk.pass_time(729 * 86400 - 11)
    desk.done(desk.put(Sku="A", Quantity="1"))
    desk.pass_time(1)
    assert desk.action()["State"] == "APPROVED"
    assert desk.refused(desk.put(Sku="A", Quantity="0")) == "ACTION_LOCKED"


def test_8_chained_actions_stand_alone(desk_of: Any, make_action: Any) -> None:
    """§8: reversing one action of an order leaves the others."""
    desk = desk_of([make_action(1, Oid="SAME"), make_action(2, Oid="SAME")])
    desk.done(desk.delete(1))
    assert desk.action(2)["State"] == "PENDING"
