#!/bin/bash
# Two databases with a user each on the first start of PostgreSQL: Airflow's metadata, the ledger.
set -euo pipefail

create() {
    psql -v ON_ERROR_STOP=1 -v name="$1" -v password="$2" --username "$POSTGRES_USER" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
}

create airflow "$AIRFLOW_DB_PASSWORD"
create ledger "$LEDGER_DB_PASSWORD"
