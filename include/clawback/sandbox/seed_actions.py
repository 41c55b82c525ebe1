"""Actions of the seeded world in the API's own JSON shape (reference-schemas §2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from random import Random
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from clawback.money import quantize

CAMPAIGN = "1000"
TRACKER = "2240"
ACCOUNT_ZONE = ZoneInfo("America/Los_Angeles")
_CURRENCY = "USD"
_PROMO = ("", "", "", "", "SUMMER15", "WELCOME10")
_CITIES = (
    ("Santa Barbara", "California", "93101"),
    ("Portland", "Oregon", "97205"),
    ("Madison", "Wisconsin", "53703"),
    ("Asheville", "North Carolina", "28801"),
)


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner and the share of a sale that its contract pays."""

    id: str
    name: str
    rate: Decimal


class Sold(Protocol):
    """What an action needs to know of an order's line; `amount` is the line's total."""

    @property
    def sku(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def amount(self) -> Decimal: ...


def stamp(moment: datetime, zone: tzinfo = ACCOUNT_ZONE) -> str:
    """A time as the API writes it: in the account's zone, with offset (reference §2.2)."""
    return moment.astimezone(zone).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Conversion:
    """A sale as it is reported: it locks at local midnight so many days later (reference §8)."""

    number: int
    order_id: str
    at: datetime
    items: Sequence[Sold]
    partner: Partner
    lock_days: int


def action_of(sale: Conversion, draw: Random) -> dict[str, Any]:
    """The action of a conversion: pending, never modified."""
    event, partner = sale.at, sale.partner
    midnight = event.astimezone(ACCOUNT_ZONE).replace(hour=0, minute=0, second=0)
    lines = [item_of(item, partner.rate) for item in sale.items]
    return {
        "Id": f"{CAMPAIGN}.4636.{sale.number}",
        "CampaignId": CAMPAIGN,
        "CampaignName": "Acme Outdoor",
        "ActionTrackerId": TRACKER,
        "ActionTrackerName": "Sale",
        "EventCode": "",
        "MediaPartnerId": partner.id,
        "MediaPartnerName": partner.name,
        "State": "PENDING",
        "AdId": "506720",
        **totals(lines),
        "Currency": _CURRENCY,
        "ReferringDate": stamp(event - timedelta(minutes=draw.randint(2, 4000))),
        "EventDate": stamp(event),
        "CreationDate": stamp(event + timedelta(seconds=draw.randint(60, 1800))),
        "LockingDate": stamp(midnight + timedelta(days=sale.lock_days)),
        "ClearedDate": "",
        **_customer(draw),
        "ReferringType": "CLICK_COOKIE",
        "ReferringDomain": "",
        "PromoCode": draw.choice(_PROMO),
        "Oid": sale.order_id,
        "SharedId": "",
        "CallerId": "",
        "Note": "",
        "Items": lines,
    }


def _customer(draw: Random) -> dict[str, str]:
    city, region, code = draw.choice(_CITIES)
    return {
        "CustomerId": f"C{draw.getrandbits(48):012X}",
        "CustomerStatus": draw.choice(("NEW", "EXISTING", "EXISTING")),
        "CustomerPostCode": code,
        "CustomerArea": "",
        "CustomerCity": city,
        "CustomerRegion": region,
        "CustomerCountry": "US",
        "IpAddress": f"{draw.getrandbits(128):032x}",
    }


def item_of(item: Sold, rate: Decimal) -> dict[str, str]:
    """An item that earns a share of its amount, rounded to the cent."""
    return {
        "Sku": item.sku,
        "ItemName": item.name,
        "Category": item.category,
        "Quantity": str(item.quantity),
        "SaleAmount": f"{item.amount:.2f}",
        "SaleAmountCurrency": _CURRENCY,
        "Payout": f"{quantize(item.amount * rate, _CURRENCY):.2f}",
        "PayoutCurrency": _CURRENCY,
        "Rebate": "0.00",
        "RebateCurrency": _CURRENCY,
        "AdjustmentDate": "",
        "AdjustmentReason": "",
    }


def totals(items: Sequence[dict[str, str]]) -> dict[str, str]:
    """The money of an action: the sums of its items, as if it had never been modified."""
    amount = f"{sum((Decimal(i['SaleAmount']) for i in items), Decimal(0)):.2f}"
    payout = f"{sum((Decimal(i['Payout']) for i in items), Decimal(0)):.2f}"
    return {
        "ClientCost": payout,
        "Payout": payout,
        "DeltaPayout": payout,
        "IntendedPayout": payout,
        "Amount": amount,
        "DeltaAmount": amount,
        "IntendedAmount": amount,
    }


def settle_by_hand(action: dict[str, Any], left: Sequence[int], at: datetime) -> None:
    """Someone has lowered the action's items to these quantities at `at`.

    The items of the conversion go to `_original`, one row per changed item to `_updates`. If
    nothing is left, the action is REVERSED. It was done after the conversion was reported.
    """
    at = max(at, datetime.fromisoformat(action["CreationDate"]) + timedelta(hours=1))
    gone = not any(left)
    before = action["Items"]
    after = [
        _lowered(item, quantity, at, "ITEM_RETURNED" if gone else "ORDER_UPDATE")
        for item, quantity in zip(before, left, strict=True)
    ]
    was = {key: action[key] for key in ("Amount", "Payout")}
    action.update(totals(after), Items=after, State="REVERSED" if gone else "PENDING")
    action.update(_original=before, _updates=_rows(before, after, at, action["State"]))
    for kind, value in was.items():
        action[f"Delta{kind}"] = f"{Decimal(action[kind]) - Decimal(value):.2f}"
        action[f"Intended{kind}"] = value


def _lowered(item: dict[str, str], quantity: int, at: datetime, reason: str) -> dict[str, str]:
    sold = int(item["Quantity"])
    if quantity == sold:
        return item
    amount, payout = (
        quantize(Decimal(item[name]) * quantity / sold, _CURRENCY)
        for name in ("SaleAmount", "Payout")
    )
    return {
        **item,
        "Quantity": str(quantity),
        "SaleAmount": f"{amount:.2f}",
        "Payout": f"{payout:.2f}",
        "AdjustmentDate": stamp(at),
        "AdjustmentReason": reason,
    }


def _rows(
    before: Sequence[dict[str, str]], after: Sequence[dict[str, str]], at: datetime, state: str
) -> list[dict[str, str]]:
    return [
        {
            "UpdateDate": stamp(at),
            "Disposition": new["AdjustmentReason"],
            "State": state,
            "Sku": new["Sku"],
            "Quantity": new["Quantity"],
            "Category": new["Category"],
            "DeltaAmount": f"{Decimal(new['SaleAmount']) - Decimal(old['SaleAmount']):.2f}",
            "DeltaPayout": f"{Decimal(new['Payout']) - Decimal(old['Payout']):.2f}",
        }
        for old, new in zip(before, after, strict=True)
        if old is not new
    ]
