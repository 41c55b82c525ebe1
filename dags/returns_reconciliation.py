"""The Airflow Dag of the embedded program; the file must hold the word airflow to be read."""

from impact_provider.dag import build

dag = build("demo.yaml")
