"""The demo: a world of its own, the sandbox and a real Airflow, up and down by one command."""
