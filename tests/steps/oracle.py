"""What every action should hold, worked out from warehouse rows and world alone.

Written without clawback.reconcile, in the plainest way: it checks the rules from outside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

CENT = Decimal("0.01")
Row = dict[str, Any]
Holding = tuple[int, Decimal]


def expected(actions: Iterable[Row], rows: Iterable[Row], now: datetime) -> dict[str, Row]:
    """For each ActionId: `reversed`, or `items` as {(place, sku): (quantity, amount)}, or `total`
    where only the sum is known (an amount off the whole order)."""
    by_oid: dict[str, list[Row]] = defaultdict(list)
    for action in actions:
        by_oid[action["Oid"]].append(action)
    lines = counting(rows)
    found: dict[str, Row] = {}
    for oid, several in by_oid.items():
        visible = [a for a in several if moment(a["CreationDate"]) <= now]
        mine = lines.get(oid, [])
        chosen = responsible(visible)
        for action in several:
            about = [line for line in mine if concerns(line, action, chosen)]
            free = action in chosen and about and not closed(action, now)
            found[action["Id"]] = after(action, about) if free else stands(action)
    return found


def counting(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows that count, by order, in the order of returned_at."""
    newest: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = (row["order_id"] or "", row["return_id"] or "", row["sku"] or "")
        sound = row["order_id"] and row["return_id"] and keeps_the_contract(row)
        if sound and (key not in newest or row["updated_at"] > newest[key]["updated_at"]):
            newest[key] = row
    found: dict[str, list[Row]] = defaultdict(list)
    for row in newest.values():
        if not row["voided"] and row["reason"] not in {"exchange", "replacement"}:
            found[row["order_id"]].append(row)
    for lines in found.values():
        lines.sort(key=lambda row: (row["returned_at"], row["return_id"], row["sku"] or ""))
    return found


def keeps_the_contract(row: Row) -> bool:
    quantity, amount = row["quantity"], row["amount"]
    if row["kind"] == "return":
        whole = quantity is not None and quantity > 0 and quantity == int(quantity)
        return whole and bool(row["sku"]) and (amount is None or amount >= 0)
    if row["kind"] == "adjustment":
        return quantity is None and amount is not None and amount >= 0
    return row["kind"] == "cancellation" and not row["sku"] and quantity is None


def responsible(several: list[Row]) -> list[Row]:
    """The actions that a return of their order is about; none where nothing tells which."""
    alive = [a for a in several if a["State"] != "REVERSED"] or several[:1]
    skus = Counter(sku for a in alive for sku in {i["Sku"] for i in a["Items"]})
    trackers = {a["ActionTrackerId"] for a in alive}
    apart = max(skus.values(), default=0) <= 1
    return alive if len(alive) == 1 or apart or len(trackers) == len(alive) else []


def concerns(line: Row, action: Row, chosen: list[Row]) -> bool:
    skus = {item["Sku"] for item in action["Items"]}
    return not line["sku"] or line["sku"] in skus or len(chosen) == 1


def closed(action: Row, now: datetime) -> bool:
    locked = action.get("LockingDate") and moment(action["LockingDate"]) <= now
    return bool(locked or action.get("_refuse") or action["State"] == "REVERSED")


def stands(action: Row) -> Row:
    if action["State"] == "REVERSED":
        return {"reversed": True}
    return {"items": {(n, i["Sku"]): held(i) for n, i in enumerate(action["Items"])}}


def held(item: Row) -> Holding:
    return int(item["Quantity"]), Decimal(item["SaleAmount"])


def after(action: Row, lines: list[Row]) -> Row:
    """What an action holds once everything that came back is off."""
    if any(line["kind"] == "cancellation" for line in lines):
        return {"reversed": True}
    first = action.get("_original") or action["Items"]
    left = {(n, item["Sku"]): held(item) for n, item in enumerate(action["Items"])}
    for sku in {item["Sku"] for item in first}:
        mine = [line for line in lines if line["sku"] == sku]
        places = [n for n, item in enumerate(first) if item["Sku"] == sku]
        if mine:
            left |= {(n, sku): h for n, h in fallen(first, places, mine, left, sku).items()}
    if all(not amount or not quantity for quantity, amount in left.values()):
        return {"reversed": True}
    off = sum(Decimal(x["amount"]) for x in lines if not x["sku"] and x["kind"] == "adjustment")
    if off:
        return {"total": sum(amount for _, amount in left.values()) - off}
    return {"items": left}


def fallen(
    first: list[Row], places: list[int], lines: list[Row], left: dict[Any, Holding], sku: str
) -> dict[int, Holding]:
    """What the items of one SKU hold; unchanged where a person must decide."""
    now = {n: left[n, sku] for n in places}
    sold = sum(held(first[n])[0] for n in places)
    worth = sum(held(first[n])[1] for n in places)
    if any(line["currency"] not in {None, "", "USD"} and line["amount"] for line in lines):
        return now
    if any(line["ordered_quantity"] not in {None, sold} for line in lines):
        return now
    units, money = 0, Decimal(0)
    for line in lines:
        n = int(line["quantity"] or 0)
        if units + n > sold:
            continue
        units += n
        share = worth * n / sold
        money += share if line["amount"] is None else Decimal(str(line["amount"]))
    rest = max(worth - money, Decimal(0)).quantize(CENT, ROUND_HALF_EVEN)
    quantity, amount = sold - units, rest if sold > units else Decimal(0)
    if len(places) > 1:
        return {n: (0, Decimal(0)) for n in places} if not quantity else now
    (place,) = places
    return {place: (min(quantity, now[place][0]), min(amount, now[place][1]))}


def differs(wanted: Row, shown: Row) -> str:
    """How an action in the sandbox differs from what is wanted; empty where it does not."""
    if wanted.get("reversed"):
        return "" if shown["State"] == "REVERSED" else "is not reversed"
    if shown["State"] == "REVERSED":
        return "is reversed"
    if "total" in wanted:
        off = abs(Decimal(shown["Amount"]) - wanted["total"])
        return (
            "" if off <= CENT * len(shown["Items"]) else f"{shown['Amount']} != {wanted['total']}"
        )
    for n, item in enumerate(shown["Items"]):
        quantity, amount = wanted["items"][n, item["Sku"]]
        is_quantity, is_amount = held(item)
        if quantity != is_quantity or abs(amount - is_amount) > CENT:
            return f"{item['Sku']}: {is_quantity} for {is_amount}, not {quantity} for {amount}"
    return ""


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
