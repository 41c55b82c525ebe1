"""The impact.com Brand API client: plain Python over httpx, without Airflow and without ledger."""
