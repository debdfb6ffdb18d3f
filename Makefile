# Thin: every target is one or two commands. `make demo` and `make test` need nothing but make, Python 3.11 and (for packages) root or sudo.
.DEFAULT_GOAL := help
.PHONY: help setup demo up down status logs reset clean test test-compose drill soak bench lint types dead-code grammar lock compose compose-down

BIN := .venv/bin
PAGEPULSE := $(BIN)/pagepulse
# For example: make up ARGS="--port-offset 1000"; make logs NAME=pinot
ARGS ?=
NAME ?= supervisor
MINUTES ?= 30
IMAGES ?=
# What Python compiles is kept in __pycache__: the stack and its tests start Python hundreds of times.
unexport PYTHONDONTWRITEBYTECODE

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing: Python packages, Debian packages, jars
	@deploy/local/bootstrap.sh
	@$(PAGEPULSE) setup $(ARGS)

demo: ## everything, with live status; Ctrl-C ends it
	@deploy/local/bootstrap.sh
	@$(PAGEPULSE) up $(ARGS)

up: ## everything in the background, provisioned, without load
	@deploy/local/bootstrap.sh
	@$(PAGEPULSE) up --detach $(ARGS)

down: ## stop everything
	@$(PAGEPULSE) down $(ARGS)

status: ## how every component is
	@$(PAGEPULSE) status $(ARGS)

logs: ## a component's log: make logs NAME=pinot ARGS=-f
	@$(PAGEPULSE) logs $(NAME) $(ARGS)

reset: ## stop everything and forget all data
	@$(PAGEPULSE) reset $(ARGS)

clean: ## as reset, and remove the Python environment and what tools have cached here
	@if [ -x $(PAGEPULSE) ]; then $(PAGEPULSE) reset; fi
	@rm -rf .venv .pagepulse .mypy_cache .ruff_cache .pytest_cache .coverage coverage.txt .hypothesis .import_linter_cache .import-linter-cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

compose: ## the same in containers (Docker Compose); IMAGES=local makes every image here, without an image registry
	@IMAGES=$(IMAGES) deploy/compose/up.sh

compose-down: ## stop the containers and keep their data; with ARGS=--volumes forget it
	@deploy/compose/compose.sh --profile '*' down $(ARGS)

lint: ## ruff and the import contracts
	@deploy/local/bootstrap.sh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: ## mypy --strict
	@deploy/local/bootstrap.sh
	$(BIN)/mypy

# Its "unused variables" are the fields of models, which clients read.
dead-code: ## what nothing calls, by vulture; pyproject.toml lists what must stay
	@deploy/local/bootstrap.sh
	@! $(BIN)/uv tool run vulture | grep -v 'unused variable'

# Two runs: what needs no server, on all cores and with coverage; then what shares the one stack, in one process.
test: ## set-up, lint, types, and every test, on the real stack too
	@deploy/local/bootstrap.sh
	@$(PAGEPULSE) setup --tests
	$(MAKE) -j2 --output-sync=target lint types
	$(BIN)/python -m pytest -m 'not stack and not compose' -n auto --maxprocesses 8 --dist worksteal --cov --cov-report=
	@$(BIN)/coverage report --skip-covered --sort=cover > coverage.txt; head -n 12 coverage.txt
	@echo "coverage of lines and branches, in percent:"; $(BIN)/coverage report --format=total
	$(BIN)/python -m pytest -m 'stack and not compose' tests/integration tests/browser

test-compose: ## the deployment in containers as a user has it, without an image registry (root, or DOCKER_HOST)
	@deploy/local/bootstrap.sh
	@$(PAGEPULSE) setup --tests
	$(BIN)/python -m pytest -m compose -x --timeout 5400 tests/compose $(ARGS)

drill: ## every fault under load, each followed by the proof, and the long versions of the ksql tests
	@deploy/local/bootstrap.sh
	$(BIN)/python -m benchmarks.drills --write-docs $(ARGS)
	PAGEPULSE_DRILL=1 $(BIN)/python -m pytest --timeout 7200 tests/unit/ksql/engine/test_memory.py \
		tests/unit/ksql/engine/test_recomputation.py tests/unit/ksql/engine/test_durability.py \
		tests/integration/ksql/test_kill.py
	PAGEPULSE_DRILL=1 $(BIN)/python -m pytest -m compose -x --timeout 14400 tests/compose

soak: ## a long run under load, looking for what grows: make soak MINUTES=30
	@deploy/local/bootstrap.sh
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) --write-docs $(ARGS)

bench: ## measure everything on an otherwise idle machine (half an hour) and write docs/performance.md
	@deploy/local/bootstrap.sh
	$(BIN)/python -m benchmarks.ksql --write-docs
	$(BIN)/python -m benchmarks.ksql_testing --write-docs
	$(BIN)/python -m benchmarks.generator --write-docs
	$(BIN)/python -m benchmarks.generator --pacing --write-docs
	$(BIN)/python -m benchmarks.steering --write-docs
	$(BIN)/python -m benchmarks.dashboard --write-docs
	$(BIN)/python -m benchmarks.endtoend --write-docs
	$(BIN)/python -m benchmarks.startup --write-docs
	$(BIN)/python -m benchmarks.controlplane --write-docs
	$(BIN)/python -m benchmarks.collector --write-docs

grammar: ## the parser's tables from services/ksql/sql/grammar.lark
	@deploy/local/bootstrap.sh
	$(BIN)/python -m services.ksql.sql.compile_grammar

# The lock names no registry's host, so that each user's own index (or mirror) serves it.
lock: ## renew requirements.lock from pyproject.toml
	@deploy/local/bootstrap.sh
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --all-extras \
		--no-annotate --no-header --upgrade pyproject.toml -o requirements.lock
