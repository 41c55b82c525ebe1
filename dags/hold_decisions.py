"""The Airflow Dag that keeps a person's answers to holds; the file must hold the word airflow."""

from impact_provider.decisions import build

dag = build()
