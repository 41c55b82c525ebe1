"""impact.com for Apache Airflow: the connection type, hook, operators and the Dag builder."""
