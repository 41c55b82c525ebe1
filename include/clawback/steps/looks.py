"""The doctor's reads of lists and submissions: one request each."""

from __future__ import annotations

from clawback.impact.client import ImpactClient
from clawback.impact.errors import Refused
from clawback.impact.models import Action, ActionUpdate, Page
from clawback.impact.windows import Window

PAGE = 10_000
NO_BATCH = "A-clawback-doctor"
"""A submission that does not exist: 404 says that the token may ask for one."""


def first_actions(client: ImpactClient, window: Window) -> Page[Action]:
    return next(client.list_actions(window, page_size=PAGE))


def first_updates(client: ImpactClient, window: Window) -> list[ActionUpdate]:
    return next(client.list_action_updates(window, page_size=PAGE)).rows


def may_ask_submissions(client: ImpactClient) -> bool:
    """Ask for a submission that does not exist; that it is not found is the right answer."""
    try:
        client.get_submission(NO_BATCH)
    except Refused:
        return True
    return True
