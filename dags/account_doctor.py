"""The Airflow Dag that examines whole set-ups; the file must hold the word airflow."""

from impact_provider.doctor import build

dag = build()
