"""Run by dlt's own Python: reads a sandbox with dlt's generic REST source, and counts rows.

Usage: python read_with_dlt.py BASE_URL ACCOUNT_SID AUTH_TOKEN START END
Prints one JSON object: for each resource, rows and distinct ids.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import datetime, timedelta

from dlt.sources.rest_api import rest_api_source

WINDOW = timedelta(days=45)
SECOND = timedelta(seconds=1)
# Name: path, key of its list, id, parameters of a window, rows a page.
RESOURCES = {
    "actions": ("Actions", "Actions", "Id", ("ActionDateStart", "ActionDateEnd"), 5000),
    "updates": ("ActionUpdates", "ActionUpdates", "Id", ("StartDate", "EndDate"), 5000),
    "submissions": ("APISubmissions", "APISubmission", "BatchId", (), 1000),
}


def windows(start: datetime, end: datetime) -> list[tuple[str, str]]:
    """Windows side by side that share no second."""
    found = []
    while start < end:
        last = min(start + WINDOW, end) - SECOND
        found.append((start.isoformat(), last.isoformat()))
        start += WINDOW
    return found


def main() -> None:
    base, user, password, start, end = sys.argv[1:]
    spans = windows(datetime.fromisoformat(start), datetime.fromisoformat(end))
    told = {}
    for name, (path, key, _, bounds, size) in RESOURCES.items():
        for number, span in enumerate(spans if bounds else [()]):
            asked = {"PageSize": size, **dict(zip(bounds, span, strict=True))}
            asked |= {"CampaignId": "1000"} if bounds else {}
            endpoint = {"path": path, "data_selector": key, "params": asked}
            told[f"{name}_{number}"] = endpoint
    client = {
        "base_url": f"{base}/Advertisers/{user}/",
        "auth": {"type": "http_basic", "username": user, "password": password},
        "headers": {"Accept": "application/json"},
        # The documented paging: Page=1, 2, ... up to @numpages.
        "paginator": {
            "type": "page_number",
            "base_page": 1,
            "page_param": "Page",
            "total_path": "['@numpages']",
        },
    }
    resources = [{"name": name, "endpoint": endpoint} for name, endpoint in told.items()]
    source = rest_api_source({"client": client, "resources": resources})
    seen: dict[str, Counter[str]] = {name: Counter() for name in RESOURCES}
    for name in told:
        kind = name.rpartition("_")[0]
        seen[kind].update(row[RESOURCES[kind][2]] for row in source.resources[name])
    counts = {name: [ids.total(), len(ids)] for name, ids in seen.items()}
    sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    main()
