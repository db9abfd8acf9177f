# Remit. `make` alone shows what can be done here.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARTS := libs/common services/payments services/billing services/notifications services/gateway-stripe services/gateway-paypal services/portal sandbox embedded
DEV_READY := $(VENV)/.ready-dev
RUN_READY := $(VENV)/.ready-run
export PORT_BASE ?= 8000
# Compose cannot add: each published port by name.
export PORTAL_PORT ?= $(PORT_BASE)
export PAYMENTS_PORT ?= $(shell expr $(PORT_BASE) + 1)
export BILLING_PORT ?= $(shell expr $(PORT_BASE) + 2)
export GATEWAY_STRIPE_PORT ?= $(shell expr $(PORT_BASE) + 3)
export GATEWAY_PAYPAL_PORT ?= $(shell expr $(PORT_BASE) + 4)
export NOTIFICATIONS_PORT ?= $(shell expr $(PORT_BASE) + 5)
export SANDBOX_PORT ?= $(shell expr $(PORT_BASE) + 9)

# Profiles on the command line replace those of .env, so they are named as well.
COMPOSE = docker compose --profile sandbox $(foreach profile,$(shell sed -n 's/^COMPOSE_PROFILES=//p' .env 2>/dev/null | tr ',' ' '),--profile $(profile))

##@ Use it
.PHONY: run
run: $(RUN_READY) ## Start everything in one process, with a demo business (DEMO=off: one empty business)
	@exec $(BIN)/python -m embedded

.PHONY: token
token: ## Print an operator's token for whichever stack is running
	@if docker compose ps -q payments-web 2>/dev/null | grep -q .; then \
	  docker compose run --rm --no-deps -T operator remit tokens issue --caller operator --scope operator --ttl 12h; \
	else $(BIN)/remit tokens issue --caller operator --scope operator --ttl 12h; fi

.PHONY: prove
prove: ## Prove the books of whichever stack is running: do all figures agree?
	@if docker compose ps -q billing-worker 2>/dev/null | grep -q .; then \
	  docker compose exec -T billing-worker remit billing do prove; \
	else $(BIN)/remit billing do prove; fi

.PHONY: backup
backup: ## Back up whichever stack is running, while it runs, into backups/
	@if docker compose ps -q postgres 2>/dev/null | grep -q .; then docker compose run --rm --no-deps -T backup; \
	else $(BIN)/remit backup --keep $${BACKUP_KEEP:-14}; fi

.PHONY: support-bundle
support-bundle: ## Collect what somebody needs who helps you: no secrets, no clients' data
	@sh deploy/support_bundle.sh $(BIN)/remit

.PHONY: up
up: ## Start the Compose stack with RabbitMQ, PostgreSQL and the sandbox; with TLS where .env says so
	SANDBOX=on STRIPE_API_BASE=http://sandbox:8009/stripe CALLBACK_BASE_URL=http://gateway-stripe-web:8003 \
	  STRIPE_JS_URL=http://127.0.0.1:$(SANDBOX_PORT)/stripe/js/v3/ \
	  PAYPAL_CALLBACK_BASE_URL=http://gateway-paypal-web:8004 PAYPAL_API_BASE=http://sandbox:8009/paypal \
	  PAYPAL_IPN_VERIFY_URL=http://sandbox:8009/paypal/cgi-bin/webscr \
	  PAYPAL_CHECKOUT_URL=http://127.0.0.1:$(SANDBOX_PORT)/paypal/cgi-bin/webscr \
	  $(COMPOSE) up --build --wait

.PHONY: move
move: ## Move what `make run` kept in var (or VAR_DIR) into the Compose stack, before its first `make up`
	docker compose build init
	docker compose run --rm move

.PHONY: down
down: ## Stop the Compose stack; data stays
	$(COMPOSE) down

##@ Work on it
.PHONY: test
test: lint ## Run everything: lint, types, unit, integration on real RabbitMQ and PostgreSQL, faults, Compose
	@# A module's tests stay in one process, as they share what they start; in our order, long ones first.
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: lint
lint: $(DEV_READY) ## Format check, ruff, mypy strict, import contracts, and a look for insecure code and for secrets
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r $(PARTS) deploy
	@# Passwords under such names are found by ruff, which knows code from words.
	@find * .ci \( -path var -o -path backups \) -prune -o -type f -not -path '*/__pycache__/*' -not -path '*.egg-info/*' -not -name '*.lock' -print0 \
	  | xargs -0 $(BIN)/detect-secrets-hook --no-verify --disable-plugin KeywordDetector --exclude-lines "user:password@"

.PHONY: format
format: $(DEV_READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

.PHONY: unit
unit: $(DEV_READY) ## Only the fast tests: no broker, no containers
	$(BIN)/pytest libs services sandbox tests/contracts -m 'not broker and not docker'

.PHONY: bench
bench: $(DEV_READY) ## Figures with their baselines from the same run
	$(BIN)/python -m benchmarks

.PHONY: faults
faults: $(DEV_READY) ## Kill, stop and poison things under load, and check that nothing is lost
	$(BIN)/python -m tests.faults

.PHONY: lock
lock: $(DEV_READY) ## Resolve requirements/*.in anew into *.lock
	for name in run dev rivals; do (cd requirements && ../$(BIN)/uv pip compile -q --universal --python-version 3.11 \
	  --generate-hashes --no-header -o $$name.lock $$name.in); done

.PHONY: clean
clean: ## Remove .venv and caches; var/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up: each says what it installs -------------------------------------------------------------------------

$(BIN)/uv:
	@echo "remit: making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit("Remit needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

define install
	@echo "remit: installing $$(grep -c '==' requirements/$(1).lock) packages from requirements/$(1).lock, and Remit itself, into $(VENV)"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements/$(1).lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(PARTS:%=-e %)
	@touch $@
endef

$(RUN_READY): requirements/run.lock $(PARTS:%=%/pyproject.toml) | $(BIN)/uv
	$(call install,run)

$(DEV_READY): requirements/dev.lock $(PARTS:%=%/pyproject.toml) | $(BIN)/uv
	$(call install,dev)
	@touch $(RUN_READY)
