"""A world file: every line that is no action is named, with its number, its field and the mend."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.errors import ClawbackError
from clawback.sandbox.core import Sandbox
from clawback.sandbox.load import lines
from clawback.sandbox.moments import Localizer
from clawback.sandbox.settings import Settings

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Start = Callable[..., Sandbox]

# What is wrong, the field that is named, and a part of the mend.
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"Id": ""}, "Id", "missing"),
    ({"CampaignId": None}, "CampaignId", "missing"),
    ({"Items": []}, "Items", "missing"),
    ({"Items": "A"}, "Items", "give a list of items"),
    ({"Items": ["A"]}, r"Items\[0\]", "give it at least Sku"),
    ({"Items": [{"Quantity": "1"}]}, r"Items\[0\].Sku", "is missing"),
    ({"Items": [{"Sku": "A", "Quantity": "1.5"}]}, r"Items\[0\].Quantity", "write it like 2"),
    ({"Items": [{"Sku": "A", "Quantity": "-1"}]}, r"Items\[0\].Quantity", "write it like 2"),
    ({"Items": [{"Sku": "A", "SaleAmount": "nan"}]}, r"Items\[0\].SaleAmount", "like 19.99"),
    ({"Items": [{"Sku": "A", "Payout": "1e3"}]}, r"Items\[0\].Payout", "like 19.99"),
    ({"Items": [{"Sku": "A", "Rebate": "1,00"}]}, r"Items\[0\].Rebate", "like 19.99"),
    ({"Items": [{"Sku": ["A"]}]}, r"Items\[0\].Sku", "give a text or a number"),
    ({"Amount": "ten"}, "Amount", "write it like 19.99"),
    ({"IntendedPayout": "ten"}, "IntendedPayout", "write it like 19.99"),
    ({"State": "LOCKED"}, "State", "PENDING, APPROVED, REVERSED"),
    ({"EventDate": "soon"}, "EventDate", "write it like 2026-11-20T12:00:00-08:00"),
    ({"CreationDate": "2026-13-01T00:00:00Z"}, "CreationDate", "write it like"),
    ({"LockingDate": "2026-12-15T24:61:00Z"}, "LockingDate", "write it like"),
    ({"ClearedDate": "2026-12-15T10:00:00+99:00"}, "ClearedDate", "write it like"),
    ({"ReferringDate": 7}, "ReferringDate", "write it like"),
    ({"_visible_from": "later"}, "CreationDate", "write it like"),
    ({"PromoCode": ["X"]}, "PromoCode", "give a text or a number"),
    ({"_refuse": "no"}, "_refuse", "give it ErrorType and ErrorReason"),
    ({"_refuse": {"ErrorReason": "NO"}}, "_refuse.ErrorType", "is missing"),
    ({"_original": [{"Sku": "A"}]}, "_original", "give the same lines"),
    ({"_original": "A"}, "_original", "give a list of items"),
    ({"_updates": {}, "_modifications": "two"}, "_modifications", "give a whole number"),
    ({"_updates": "A"}, "_updates", "give a list of objects"),
    ({"_updates": [7]}, r"_updates\[0\]", "give it at least UpdateDate"),
    ({"_updates": [{"Sku": "A"}]}, r"_updates\[0\].UpdateDate", "say when"),
    ({"_updates": [{"UpdateDate": "soon"}]}, r"_updates\[0\].UpdateDate", "write it like"),
    (
        {"_updates": [{"UpdateDate": "2026-11-18T10:00:00Z", "State": "GONE"}]},
        r"_updates\[0\].State",
        "is none of PENDING",
    ),
    (
        {"_updates": [{"UpdateDate": "2026-11-18T10:00:00Z", "DeltaAmount": "less"}]},
        r"_updates\[0\].DeltaAmount",
        "write it like 19.99",
    ),
]


@pytest.fixture(name="start")
def _start(tmp_path: Path, world_at: Any) -> Start:
    def start(*actions: dict[str, Any]) -> Sandbox:
        world = world_at(tmp_path / "w.jsonl", list(actions))
        return Sandbox(Settings(port=0, world=world, now=NOW, speed=0))

    return start


@pytest.mark.parametrize(("change", "field", "mend"), WRONG)
def test_each_bad_line_is_named(
    start: Start, make_action: Any, change: dict[str, Any], field: str, mend: str
) -> None:
    """A line that is no action is named by number and field, and the mend is said."""
    with pytest.raises(ClawbackError, match=rf"w\.jsonl, line 2: .*{field}: .*{mend}"):
        start(make_action(1), make_action(2, **change))


@pytest.mark.parametrize("line", ["7", "[]", '"Id"', "{"])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, make_action: Any, line: str) -> None:
    """A line that is no JSON object is named; blank lines count but are nothing."""
    world = tmp_path / "w.jsonl"
    world.write_text(f"{json.dumps(make_action(1))}\n\n  \n{line}\n", "utf-8")
    with pytest.raises(ClawbackError, match=r"w\.jsonl, line 4: .*(missing|no JSON)"):
        Sandbox(Settings(port=0, world=world))


def test_an_id_that_stands_twice_is_refused(start: Start, make_action: Any) -> None:
    """Two lines of one action are refused, and both are named."""
    with pytest.raises(ClawbackError, match=r"lines 2 and 4: Id: both are 1000\.4636\.7;"):
        start(*(make_action(number) for number in (1, 7, 3, 7)))


@pytest.fixture(name="abroad")
def _abroad(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host far from UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("abroad")
def test_naive_times_are_utc(start: Start, make_action: Any) -> None:
    """A time without an offset is UTC, wherever the sandbox runs."""
    naive = "2026-11-18T10:00:00"
    sandbox = start(make_action(1, EventDate=naive, _updates=[{"UpdateDate": naive}]))
    expected = datetime(2026, 11, 18, 10, tzinfo=UTC).timestamp()
    assert sandbox.world.history.get(-1).at == expected
    assert sandbox.world.store.event[0] == expected


def test_amounts_of_a_modified_action(start: Start, make_action: Any, make_item: Any) -> None:
    """An amount of 0 that a modified line gives is 0, not left out."""
    gone = [make_item("A", 0, "0.00", "0.00")]
    first = [make_item("A", 1, "9.00", "0.90")]
    line = make_action(1, gone, _original=first, State="REVERSED", Amount="0", Payout="0")
    standing = start(line).world.store.standing(0)
    assert (standing.amount, standing.payout, standing.delta_amount) == (0, 0, -9)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("length", [10, 3000])
def test_lines_of_any_length(tmp_path: Path, length: int, packed: bool) -> None:
    """Lines longer and shorter than a block come out whole, the last one without its end too."""
    path = tmp_path / "w"
    wanted = [{"n": n, "text": "x" * (length * (n % 7) * 100)} for n in range(50)]
    content = b"\n".join(json.dumps(line).encode() for line in wanted)
    half = len(content) // 2  # a gzip file may have several members
    members = gzip.compress(content[:half]) + gzip.compress(content[half:])
    path.write_bytes(members if packed else content)
    assert [line for _, line in lines(path)] == wanted


@pytest.mark.parametrize("damage", [slice(0, -9), slice(0, 40)])
def test_a_packed_file_cut_short_is_refused(tmp_path: Path, damage: slice) -> None:
    """A gzip file that ends in the middle is not taken for a shorter world."""
    path = tmp_path / "w.gz"
    path.write_bytes(gzip.compress(b'{"Id": 1}\n' * 1000)[damage])
    with pytest.raises(ClawbackError, match="cannot be read"):
        list(lines(path))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - zone follows
    st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Kathmandu", "Europe/Berlin"]),
    st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"]),
    st.booleans(),
)
def test_times_become_local(moment: datetime, given_in: str, account: str, zulu: bool) -> None:
    """A time in any zone is written as the account's zone has it, to the second."""
    aware = moment.replace(microsecond=0, tzinfo=UTC if zulu else ZoneInfo(given_in))
    text = aware.isoformat().replace("+00:00", "Z") if zulu else aware.isoformat()
    local, epoch = Localizer(account)(text)
    assert epoch == int(aware.timestamp())
    assert local == datetime.fromtimestamp(epoch, ZoneInfo(account)).isoformat()
