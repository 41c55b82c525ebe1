"""Reads the form of a PUT or DELETE on Actions (reference §3.1, §3.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from clawback.sandbox import fields as f
from clawback.sandbox.facts import BadRequest, ItemChange, Refusal, Write
from clawback.sandbox.profile import Profile

_INDEXED = re.compile(r"(Sku|Quantity|Amount|Category|ItemSubTotalDelta)(\d{1,6})")
_MAX_DIGITS = 14  # an item's subtotal is 14,2 (reference §1.3)
_MAX_TEXT = 255


def parse(verb: str, form: Mapping[str, str], profile: Profile) -> Write:
    """The write that a form asks for.

    Raises BadRequest if a parameter is missing or malformed, and Refusal for a code that is not
    one of the verb's.
    """
    for name, value in form.items():
        if len(value) > _MAX_TEXT:
            raise _invalid(name, f"Longer than {_MAX_TEXT} characters")
    target(form)
    reverse = verb == "reverse"
    code, disposition = _reversal_code(form, profile) if reverse else _reason(form, profile)
    approving = () if reverse else profile.approving_codes
    items = () if reverse else _items(form, profile)
    if items and profile.item_reasons == "order_update" and code not in f.MODIFYING_CODES:
        raise Refusal("code", f"Reason {code} does not change items")
    status = form.get("CustomerStatus")
    if status is not None and not reverse and status not in profile.customer_statuses:
        raise Refusal("customer_status", f"CustomerStatus {status} is not configured")
    return Write(
        verb=verb,
        code=code,
        disposition=disposition,
        amount=None if reverse or items else _amount(form, "Amount"),
        customer_status=None if reverse else status,
        items=items,
        approves=code in approving or disposition in approving,
    )


def target(form: Mapping[str, str]) -> tuple[str, str, str]:
    """ActionId, or ActionTrackerId and OrderId. Raises BadRequest if one is missing (§3.1)."""
    if form.get("ActionId"):
        return form["ActionId"], "", ""
    tracker = form.get("ActionTrackerId") or form.get("EventTypeId") or ""
    order = form.get("OrderId") or ""
    if not order and not tracker:
        raise _missing("ActionId", "ActionId, or ActionTrackerId and OrderId, is required")
    if not order:
        raise _missing("OrderId", "OrderId is required with ActionTrackerId")
    if not tracker:
        raise _missing("ActionTrackerId", "ActionTrackerId is required with OrderId")
    return "", tracker, order


def _reversal_code(form: Mapping[str, str], profile: Profile) -> tuple[str, str]:
    code = form.get("DispositionCode") or ""
    if not code:
        raise _missing("DispositionCode", "DispositionCode is required")
    if code not in f.REJECTING_CODES and code not in profile.rejecting_codes:
        raise Refusal("code", f"DispositionCode {code} is unknown or does not reject")
    return code, code


def _reason(form: Mapping[str, str], profile: Profile) -> tuple[str, str]:
    reason = form.get("Reason") or ""
    disposition = form.get("DispositionCode") or ""
    if disposition and not _changes(disposition, profile):
        message = f"DispositionCode {disposition} is unknown, or neither modifies nor approves"
        raise Refusal("code", message)
    if not disposition and profile.disposition_required:
        raise _missing("DispositionCode", "DispositionCode is required")
    if not reason and disposition and profile.reason_optional:
        return disposition, disposition
    if not reason:
        raise _missing("Reason", "Reason is required")
    if reason not in f.REASONS and not _changes(reason, profile):
        raise Refusal("code", f"Reason {reason} is unknown")
    return _reconciled(reason, disposition or reason, profile)


def _reconciled(reason: str, disposition: str, profile: Profile) -> tuple[str, str]:
    """What items and updates show of a Reason and a DispositionCode (reference §9.13)."""
    if reason == disposition or profile.reason_conflict == "both":
        return reason, disposition
    if profile.reason_conflict == "refused":
        raise Refusal("code", f"Reason {reason} and DispositionCode {disposition} differ")
    chosen = reason if profile.reason_conflict == "reason" else disposition
    return chosen, chosen


def _changes(code: str, profile: Profile) -> bool:
    """Whether a code modifies or approves: the standard one, or one the account configured."""
    configured = (*profile.modifying_codes, *profile.approving_codes)
    return code in f.MODIFYING_CODES or code in configured


def _items(form: Mapping[str, str], profile: Profile) -> tuple[ItemChange, ...]:
    indexes = sorted(
        {int(m[2]) for name in form if (m := _INDEXED.fullmatch(name)) and m[1] == "Sku"}
    )
    suffixes = [str(i) for i in indexes if i > 1]
    first = "Sku" in form
    if not first and profile.first_index_one and 1 in indexes:
        changes = [_item(form, "1", profile)]
    elif first:
        changes = [_item(form, "", profile)]
    elif suffixes and profile.indexed_items:
        raise _missing("Sku", "Sku is required before Sku2")
    else:
        return ()
    if profile.indexed_items:
        changes += [_item(form, suffix, profile) for suffix in suffixes]
    limit = profile.max_items_per_call
    if limit is not None and len(changes) > limit:
        raise _invalid("Sku", f"At most {limit} items in one call")
    return tuple(changes)


def _item(form: Mapping[str, str], suffix: str, profile: Profile) -> ItemChange:
    sku = form["Sku" + suffix]
    if not sku:
        raise _invalid("Sku" + suffix, "Must not be empty")
    quantity = _quantity(form, "Quantity" + suffix)
    if quantity is None and profile.quantity_required:
        raise _missing("Quantity" + suffix, "Quantity is required with Sku")
    honoured = not suffix or suffix == "1" or profile.indexed_amounts
    amount = _amount(form, "Amount" + suffix) if honoured else None
    delta = _number(form, "ItemSubTotalDelta" + suffix) if honoured else None
    if amount is not None and delta is not None:
        raise _invalid("ItemSubTotalDelta" + suffix, "Give Amount or ItemSubTotalDelta, not both")
    return ItemChange(
        sku=sku,
        quantity=quantity,
        amount=amount,
        delta=delta,
        category=form.get("Category" + suffix) if honoured else None,
    )


def _quantity(form: Mapping[str, str], name: str) -> int | None:
    value = form.get(name)
    if value is None or value == "":
        return None
    if not re.fullmatch(r"[0-9]{1,16}", value):
        raise _invalid(name, "Not a whole number of 0 or more")
    return int(value)


def _amount(form: Mapping[str, str], name: str) -> Decimal | None:
    value = _number(form, name)
    if value is not None and value < 0:
        raise _invalid(name, "Must not be negative")
    return value


def _number(form: Mapping[str, str], name: str) -> Decimal | None:
    value = form.get(name)
    if value is None or value == "":
        return None
    try:
        number = Decimal(value) if re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?", value) else None
    except InvalidOperation:
        number = None
    if number is None or number.adjusted() >= _MAX_DIGITS:
        raise _invalid(name, "Not a numeric value")
    return number


def _missing(name: str, message: str) -> BadRequest:
    return BadRequest("Validation Failed", (name, message))


def _invalid(name: str, message: str) -> BadRequest:
    return BadRequest("Validation Failed", (name, message))
