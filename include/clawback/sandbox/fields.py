"""The names and types of every resource, as the reference gives them (reference §2.5, §4, §5)."""

from __future__ import annotations

from clawback.sandbox.resource import Resource

STATES = ("PENDING", "APPROVED", "REVERSED")
PENDING, APPROVED, REVERSED = STATES

# PUT's Reason: the OpenAPI list; the help adds RESET and APPROVED (reference §3.1, §3.3).
RESET = "RESET"
APPROVE = "APPROVED"
REASONS = frozenset(
    (
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
        RESET,
    )
)
MODIFYING_CODES = frozenset(("ORDER_UPDATE",))
# DELETE's DispositionCode (reference §3.2).
REJECTING_CODES = frozenset(
    (
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
    )
)


# What a million actions share is stored once (ACTION_SHARED), the rest per action (ACTION_OWN).
ACTION_SHARED = (
    "CampaignId",
    "CampaignName",
    "ActionTrackerId",
    "ActionTrackerName",
    "EventCode",
    "MediaPartnerId",
    "MediaPartnerName",
    "AdId",
    "Currency",
    "ReferringType",
    "ReferringDomain",
    "CustomerStatus",
    "CustomerArea",
    "CustomerRegion",
    "CustomerCountry",
    "CallerId",
    "Note",
)
ACTION_OWN = (
    "Id",
    "ClientCost",
    "Payout",
    "DeltaPayout",
    "IntendedPayout",
    "Amount",
    "DeltaAmount",
    "IntendedAmount",
    "ReferringDate",
    "EventDate",
    "CreationDate",
    "LockingDate",
    "ClearedDate",
    "PromoCode",
    "Oid",
    "CustomerId",
    "CustomerPostCode",
    "CustomerCity",
    "IpAddress",
    "SharedId",
)
ACTION_DATES = ("ReferringDate", "EventDate", "CreationDate", "LockingDate", "ClearedDate")
ACTION = Resource(
    "Actions",
    "Action",
    (
        "Id",
        "CampaignId",
        "CampaignName",
        "ActionTrackerId",
        "ActionTrackerName",
        "EventCode",
        "MediaPartnerId",
        "MediaPartnerName",
        "State",
        "AdId",
        "ClientCost",
        "Payout",
        "DeltaPayout",
        "IntendedPayout",
        "Amount",
        "DeltaAmount",
        "IntendedAmount",
        "Currency",
        "ReferringDate",
        "EventDate",
        "CreationDate",
        "LockingDate",
        "ClearedDate",
        "ReferringType",
        "ReferringDomain",
        "PromoCode",
        "Oid",
        "CustomerId",
        "CustomerStatus",
        "CustomerPostCode",
        "CustomerArea",
        "CustomerCity",
        "CustomerRegion",
        "CustomerCountry",
        "IpAddress",
        "SharedId",
        "CallerId",
        "Note",
        "Uri",
    ),
    common=ACTION_SHARED,
    integers=frozenset(("CampaignId", "ActionTrackerId", "MediaPartnerId", "AdId")),
    numbers=frozenset(
        (
            "ClientCost",
            "Payout",
            "DeltaPayout",
            "IntendedPayout",
            "Amount",
            "DeltaAmount",
            "IntendedAmount",
        )
    ),
)

ITEM_SHARED = (
    "ItemName",
    "Category",
    "SaleAmountCurrency",
    "PayoutCurrency",
    "Rebate",
    "RebateCurrency",
    "AdjustmentDate",
    "AdjustmentReason",
)
ITEM_OWN = ("Sku", "Quantity", "SaleAmount", "Payout")
ITEM = Resource(
    "ActionItems",
    "ActionItem",
    (
        "Sku",
        "ItemName",
        "Category",
        "Quantity",
        "SaleAmount",
        "SaleAmountCurrency",
        "Payout",
        "PayoutCurrency",
        "Rebate",
        "RebateCurrency",
        "AdjustmentDate",
        "AdjustmentReason",
        "Uri",
    ),
    numbers=frozenset(("Payout", "Rebate")),
)

UPDATE = Resource(
    "ActionUpdates",
    "ActionUpdate",
    (
        "Id",
        "ActionId",
        "CampaignId",
        "ActionTrackerId",
        "EventTypeId",
        "EventTypeName",
        "EventCode",
        "MediaPartnerId",
        "State",
        "StateDetail",
        "StateDetailDescription",
        "AdId",
        "Disposition",
        "DeltaPayout",
        "DeltaAmount",
        "Currency",
        "Category",
        "Sku",
        "Quantity",
        "CatalogName",
        "CatalogCategory",
        "CatalogDescription",
        "CatalogManufacturer",
        "CatalogOriginalFormatCategory",
        "CatalogSubCategory",
        "PayoutLevel",
        "DefaultPayoutRate",
        "ContractId",
        "UpdateDate",
        "LockingDate",
        "ClearingDate",
        "ActionDate",
        "Oid",
        "CustomerId",
        "CustomerStatus",
        "SharedId",
        "ActionUri",
        "Uri",
    ),
    common=(
        "CampaignId",
        "ActionTrackerId",
        "EventTypeId",
        "EventTypeName",
        "EventCode",
        "MediaPartnerId",
        "AdId",
        "Currency",
        "CatalogName",
        "CatalogCategory",
        "CatalogDescription",
        "CatalogManufacturer",
        "CatalogOriginalFormatCategory",
        "CatalogSubCategory",
        "ContractId",
        "CustomerStatus",
    ),
    integers=frozenset(("CampaignId", "ActionTrackerId", "MediaPartnerId", "AdId")),
    numbers=frozenset(("DeltaPayout", "DeltaAmount")),
)

SUBMISSION = Resource(
    "APISubmission",
    "APISubmission",
    (
        "BatchId",
        "AccountId",
        "SubmissionDate",
        "CampaignId",
        "ActionTrackerId",
        "MediaPartnerId",
        "EventCode",
        "OrderId",
        "Payload",
        "Type",
        "Status",
        "CompletionDate",
        "ErrorType",
        "ErrorReason",
        "Uri",
    ),
    common=(
        "AccountId",
        "CampaignId",
        "ActionTrackerId",
        "MediaPartnerId",
        "EventCode",
        "Type",
    ),
    integers=frozenset(("AccountId", "CampaignId", "ActionTrackerId", "MediaPartnerId")),
)

# Version 11 shows less (reference-schemas §8).
HIDDEN_IN_V11 = frozenset(
    (
        "EventCode",
        "ClientCost",
        "DeltaPayout",
        "DeltaAmount",
        "IntendedPayout",
        "IntendedAmount",
    )
)
UPDATE_IN_V11 = ("Id", "ActionId", "State", "DeltaPayout", "DeltaAmount", "UpdateDate", "Uri")
