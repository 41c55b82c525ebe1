"""The Airflow Dag that reconciles the past by hand; the file must hold the word airflow."""

from impact_provider.backfill import build

dag = build()
