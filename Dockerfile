# Airflow 3.3.2 with Clawback, for every service of docker-compose.yml.
#
# The base is plain Python and not apache/airflow: requirements.txt is the full lock, with hashes,
# that the tests run on. On top of the official image, whose hundred other packages have pins of
# their own, the set that runs would be neither theirs nor the tested one.
FROM python:3.11-slim-bookworm

ENV AIRFLOW_HOME=/opt/airflow \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONPATH=/opt/clawback/include:/opt/clawback/plugins \
    PYTHONUNBUFFERED=1

WORKDIR /opt/clawback

# The requirements come first, so that a change of code does not install them again.
COPY requirements.txt ./
RUN pip install --no-deps --require-hashes -r requirements.txt \
    && (python -m compileall -q -j0 /usr/local/lib/python3.11/site-packages || true)

COPY pyproject.toml requirements.in ./
COPY include include
COPY plugins plugins
COPY dags dags
RUN pip install --no-build-isolation --no-deps -e . \
    && pip check \
    && useradd --uid 50000 --gid 0 --home-dir "$AIRFLOW_HOME" --no-create-home airflow \
    && mkdir -p "$AIRFLOW_HOME/logs" /demo \
    && chown -R 50000:0 "$AIRFLOW_HOME" /demo

USER 50000:0
WORKDIR /opt/airflow
CMD ["airflow", "version"]
