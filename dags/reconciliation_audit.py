"""The Airflow Dag that compares and writes nothing; the file must hold the word airflow."""

from impact_provider.audit import build

dag = build()
