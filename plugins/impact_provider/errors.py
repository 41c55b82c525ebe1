"""What can be wrong with an Airflow connection, said in one sentence each."""

from __future__ import annotations

from clawback.errors import ClawbackError


class AirflowConnectionError(ClawbackError):
    """An Airflow connection is missing or lacks a field; the message names it and the mend."""


class EventError(ClawbackError):
    """A trigger resumed a task with an event that the task does not know."""


def missing(conn_id: str, conn_type: str) -> AirflowConnectionError:
    """The error of a connection id that Airflow does not know."""
    return AirflowConnectionError(
        f"There is no Airflow connection {conn_id!r}; create it under Admin > Connections "
        f"with type {conn_type}, or set AIRFLOW_CONN_{conn_id.upper()}."
    )


def lacking(conn_id: str, field: str, hint: str) -> AirflowConnectionError:
    """The error of a connection whose `field` is empty or wrong; `hint` says what belongs there."""
    return AirflowConnectionError(
        f"The Airflow connection {conn_id!r} has no usable {field}: {hint}; "
        "mend it under Admin > Connections or in its AIRFLOW_CONN_* variable."
    )


class WarehouseAwayError(ClawbackError):
    """The warehouse cannot be reached for now; worth another try."""
