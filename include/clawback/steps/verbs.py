"""What a person may answer to a hold."""

from __future__ import annotations

VERBS = {
    "pick_action": "work on the action named as the value, of those that carry the order",
    "accept_baseline": "take what 'impact' (or 'warehouse') says was sold, where they differ",
    "ignore": "count nothing: the value is a return id, a hold reason, or empty for every hold",
    "retry": "try once more; the value is an ActionId, or empty for every action of the order",
    "stand_back": "leave an action to whoever changed it; the value as for retry",
}
"""What a person may answer, and what each means."""
WITHDRAW = "withdraw"
