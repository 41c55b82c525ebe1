"""Posts a run's summary through an Airflow http connection, to Slack, Teams or any webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clawback.program import Alerts


def post(alerts: Alerts, told: Mapping[str, Any], log: Any) -> bool:
    """Send one message if an alert is due and the program names a connection; whether it was sent.

    The webhook's path belongs into the connection's host. A message that cannot be delivered is
    told in `log`, the task's, and never fails the run: its books are closed already.
    """
    if not (alerts.connection and told["alerts"]):
        return False
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.sdk.exceptions import AirflowException
    from requests import RequestException

    from clawback.steps.tell import body_of

    body = json.dumps(body_of(told, alerts.style))
    try:
        hook = HttpHook(method="POST", http_conn_id=alerts.connection)
        hook.run(data=body, headers={"Content-Type": "application/json"})
    except (AirflowException, RequestException) as error:
        # Its text may hold the address, and a webhook's address is its secret.
        log.warning(
            "The alert could not be posted through the connection %r (%s); mend it under Admin > "
            "Connections",
            alerts.connection,
            type(error).__name__,
        )
        return False
    return True
