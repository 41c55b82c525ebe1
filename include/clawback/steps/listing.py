"""Lists windows of actions and updates into the ledger, and tells what could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from clawback.impact.client import ImpactClient
from clawback.impact.errors import MalformedAnswer, Refused, TooManyPages, Unavailable
from clawback.impact.models import Action, ActionUpdate, BadRow, Page
from clawback.impact.windows import Span, Window, halve
from clawback.ledger import actions as stock
from clawback.ledger import bulk, runs
from clawback.ledger.actions import Listing
from clawback.ledger.standing import has_moved, set_worked_out, standing
from clawback.ledger.store import chunks
from clawback.steps.ahead import uncollected
from clawback.steps.rebuild import Subject, work_out
from clawback.steps.runtime import Runtime

SLICE = 5_000
"""So many rows of a page are written at once; others may write in between."""
READ_AGAIN = 20
"""So many rows of a page that could not be read are asked for one by one; more is no accident."""
_MOMENT = timedelta(seconds=1)
_SERVER_FAULT = 500


class Lister:
    """Lists windows for one run; `counts` is added to.

    `unread` are the event dates of rows that could not be read, or the whole window where not even
    that can be: nothing may be concluded from what is missing there.
    """

    def __init__(
        self, rt: Runtime, client: ImpactClient, listing: Listing, counts: Counter[str]
    ) -> None:
        self._rt, self._client, self._listing, self._counts = rt, client, listing, counts
        self.unread: list[Span] = []

    def take(self, window: Window) -> None:
        """List one window. Raises what the client raises."""
        with uncollected():
            self._list(window)

    def _list(self, window: Window) -> None:
        """List a window's updates, then its actions; a window that is too much is halved."""
        self._counts["windows"] += 1
        touched: set[str] = set()
        try:
            for page in self._client.list_action_updates(window):
                touched |= self._keep_updates(page, window)
        except (TooManyPages, Unavailable) as error:
            for half in _halves(window, error):
                self._list(half)
            self._catch_up(touched)
            return
        for actions_page in self._pages(window):
            self._keep_actions(actions_page, window, touched)
        self._catch_up(touched)

    def _pages(self, window: Window) -> Iterator[Page[Action]]:
        """The pages of a window's actions; rows may come again where it had to be halved."""
        try:
            yield from self._client.list_actions(window)
        except (TooManyPages, Unavailable) as error:
            for half in _halves(window, error):
                self._counts["windows"] += 1
                yield from self._pages(half)

    def _keep_updates(self, page: Page[ActionUpdate], window: Window) -> set[str]:
        touched: set[str] = set()
        for some in chunks(page.rows, SLICE):
            with self._rt.ledger.begin() as conn, bulk.roomy(conn):
                touched |= stock.save_updates(conn, self._listing.account, some)
        self._tell_bad(page.bad)
        self._leave_out(page.bad, window)
        self._counts.update(updates=len(page.rows), bad_rows=len(page.bad))
        return touched

    def _keep_actions(self, page: Page[Action], window: Window, touched: set[str]) -> None:
        """Keep a page of actions, and work out those that moved or were `touched` by an update."""
        self._tell_bad(page.bad)
        for some in chunks([*page.rows, *self._read_again(page.bad, window)], SLICE):
            with self._rt.ledger.begin() as conn, bulk.roomy(conn):
                self._counts["moved"] += _keep_some(conn, self._listing, some, touched)
        self._counts.update(actions=len(page.rows), bad_rows=len(page.bad))

    def _read_again(self, bad: Sequence[BadRow], window: Window) -> list[Action]:
        """Ask by name for the actions whose rows could not be read; gives those that now can be."""
        found: list[Action] = []
        for number, row in enumerate(bad):
            try:
                if not row.id or number >= READ_AGAIN:
                    self._leave_out([row], window)
                else:
                    found.append(self._client.get_action(row.id))
            except (Refused, MalformedAnswer, Unavailable):
                self._leave_out([row], window)
        return found

    def _leave_out(self, bad: Sequence[BadRow], window: Window) -> None:
        for row in bad:
            around = row.at and (row.at - _MOMENT, row.at + _MOMENT)
            self.unread.append(around or window.span)

    def _tell_bad(self, bad: Sequence[BadRow]) -> None:
        """Name each row of an answer that could not be read; the listing goes on without it."""
        if not bad:
            return
        listing, subject = self._listing, ("account", self._listing.account)
        with self._rt.ledger.begin() as conn:
            for row in bad:
                told = {"row": str(row)}
                runs.note(conn, listing.run_id, listing.at, subject, "", "bad_row", told)

    def _catch_up(self, touched: set[str]) -> None:
        """Work out actions that have new updates and were not listed beside them."""
        for some in chunks(sorted(touched), SLICE):
            with self._rt.ledger.begin() as conn:
                known = standing(conn, self._listing.account, some, lock=True)
                subjects = {i: Subject(was.amount, was.created_at, was) for i, was in known.items()}
                told = work_out(conn, self._listing.account, subjects)
                set_worked_out(conn, self._listing.account, told)


def _keep_some(
    conn: Connection, listing: Listing, found: Sequence[Action], touched: set[str]
) -> int:
    before = standing(conn, listing.account, [a.id for a in found], lock=True)
    subjects = {}
    for action in found:
        was = before.get(action.id)
        if has_moved(action, was) or action.id in touched or (was is not None and was.stale):
            subjects[action.id] = Subject(action.amount, action.creation_date, was)
    told = work_out(conn, listing.account, subjects)
    moved = stock.save_actions(conn, listing, found, before, told)
    touched.difference_update(subjects)
    return len(moved)


def _halves(window: Window, error: TooManyPages | Unavailable) -> tuple[Window, Window]:
    """The halves of a window that was too much; raises the error if it is not that, or final."""
    gateway = isinstance(error, Unavailable) and (error.status or 0) >= _SERVER_FAULT
    if not (gateway or isinstance(error, TooManyPages)):
        raise error
    try:
        return halve(window)
    except ValueError:
        raise error from None
