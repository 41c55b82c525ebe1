# The commands of the project; `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: help setup demo up sandbox test elsewhere live soak kill mutation lint lock env clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Create .venv from the locked requirements (skipped when it is up to date)
	@scripts/setup

demo: setup ## Reconcile the demo world in a real Airflow and print the books
	@exec .venv/bin/clawback demo

up: setup ## The demo world with the Airflow UI on 127.0.0.1:8080, until Ctrl-C
	@exec .venv/bin/clawback up

sandbox: setup ## The impact.com API offline on 127.0.0.1:8585, until Ctrl-C
	@exec .venv/bin/clawback sandbox

test: setup ## The test suite, all but what has a command of its own below
	@$(PY) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/sandbox/elsewhere

live: setup ## Every operation through one real Airflow; a part of make test
	@$(PY) -m pytest -q -n 0 tests/airflow_live

elsewhere: setup ## Public clients of impact.com read the sandbox (installs them into var/elsewhere)
	@$(PY) -m pytest -q -n 0 tests/sandbox/elsewhere

SEEDS ?= 200
FIRST ?= 1
soak: setup ## Seeded campaigns with random faults: make soak SEEDS=1000 [FIRST=1]
	@CLAWBACK_FIRST_SEED=$(FIRST) CLAWBACK_SEEDS=$(SEEDS) $(PY) -m pytest -q -n 2 tests/simulation/test_campaigns.py

kill: setup ## Kill a worker at every commit and request, on both databases (make test takes a sample)
	@CLAWBACK_KILLS=all $(PY) -m pytest -q -n 2 tests/kill

JOBS ?= 2
mutation: setup ## Mutation testing of the rules: make mutation [ONLY="diff whole"] [JOBS=1]
	@$(PY) tests/reconcile/mutation.py --jobs $(JOBS) $(ONLY)

lint: setup ## ruff, mypy and the compose file
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	scripts/compose-check

lock: ## Regenerate requirements.txt from requirements.in
	@test -x .venv/bin/uv || scripts/setup
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" requirements.in -o requirements.txt

env: ## Write .env with random passwords for docker compose (refuses to overwrite)
	@scripts/make-env

clean: ## Forget the demo world (warehouse, ledger, Airflow); .venv stays
	@rm -rf var/demo && echo "var/demo is gone; the next make demo starts over"
