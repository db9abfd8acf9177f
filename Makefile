# Remit. `make` alone shows what can be done here.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARTS := libs/common services/payments services/billing services/notifications services/gateway-stripe services/gateway-paypal services/portal sandbox embedded
DEV_READY := $(VENV)/.ready-dev
RUN_READY := $(VENV)/.ready-run
in_env_file = $(shell sed -n 's/^$(1)=//p' .env 2>/dev/null | tail -n 1 | tr ',' ' ')
# Ports in .env are good as long as nobody says PORT_BASE here: that moves them all.
ifeq ($(origin PORT_BASE),undefined)
port_kept = $(call in_env_file,$(1))
endif
port = $(or $(call port_kept,$(1)),$(shell expr $(PORT_BASE) + $(2)))
export PORT_BASE ?= $(or $(call in_env_file,PORT_BASE),8000)
# Compose cannot add: each published port by name.
export PORTAL_PORT ?= $(call port,PORTAL_PORT,0)
export PAYMENTS_PORT ?= $(call port,PAYMENTS_PORT,1)
export BILLING_PORT ?= $(call port,BILLING_PORT,2)
export GATEWAY_STRIPE_PORT ?= $(call port,GATEWAY_STRIPE_PORT,3)
export GATEWAY_PAYPAL_PORT ?= $(call port,GATEWAY_PAYPAL_PORT,4)
export NOTIFICATIONS_PORT ?= $(call port,NOTIFICATIONS_PORT,5)
export SANDBOX_PORT ?= $(call port,SANDBOX_PORT,9)

# Profiles on the command line replace those of .env, so they are named as well.
COMPOSE = docker compose --profile sandbox $(foreach profile,$(call in_env_file,COMPOSE_PROFILES),--profile $(profile))
# A service of Compose's that must run, what is done there, and what is done with `make run`'s.
define on_either
	@stack=$$(sh deploy/which_stack.sh $(1)) || exit 1; if [ "$$stack" = compose ]; then $(2); else $(3); fi
endef

ISSUE := remit tokens issue --caller operator --scope operator --ttl 12h

##@ Use it
.PHONY: run
run: $(RUN_READY) ## Start everything in one process, with a demo business (DEMO=off: one empty business)
	@exec $(BIN)/python -m embedded

.PHONY: token
token: ## Print an operator's token for the stack that is here: Compose's, or else `make run`'s
	$(call on_either,payments-web,docker compose run --rm --no-deps -T operator $(ISSUE),$(BIN)/$(ISSUE))

.PHONY: prove
prove: ## Prove the books of the stack that is here: do all figures agree?
	$(call on_either,billing-worker,docker compose exec -T billing-worker remit billing do prove,$(BIN)/remit billing do prove)

.PHONY: backup
backup: ## Back up the stack that is here, while it runs, into backups/
	$(call on_either,postgres,docker compose run --rm --no-deps -T backup,$(BIN)/remit backup --keep $${BACKUP_KEEP:-14})

.PHONY: support-bundle
support-bundle: ## Collect what somebody needs who helps you: no secrets, no clients' data
	@sh deploy/support_bundle.sh $(BIN)/remit

.PHONY: up
up: ## Try the Compose stack: cards, PayPal and mail go to a sandbox; with TLS where .env says so
	@if grep -qsE '^(SMTP_URL|(PAYPAL_)?CALLBACK_BASE_URL)=.' .env; then \
	  echo 'remit: .env sets SMTP_URL or CALLBACK_BASE_URL, so this is no trial, and `make up` would send cards and PayPal' \
	    'to the sandbox. Start with: docker compose up --build --wait' >&2; exit 1; fi
	SANDBOX=on STRIPE_API_BASE=http://sandbox:8009/stripe CALLBACK_BASE_URL=http://gateway-stripe-web:8003 \
	  STRIPE_JS_URL=http://127.0.0.1:$(SANDBOX_PORT)/stripe/js/v3/ \
	  PAYPAL_CALLBACK_BASE_URL=http://gateway-paypal-web:8004 PAYPAL_API_BASE=http://sandbox:8009/paypal \
	  PAYPAL_IPN_VERIFY_URL=http://sandbox:8009/paypal/cgi-bin/webscr \
	  PAYPAL_CHECKOUT_URL=http://127.0.0.1:$(SANDBOX_PORT)/paypal/cgi-bin/webscr \
	  $(COMPOSE) up --build --wait

.PHONY: move
move: ## Move what `make run` kept in var (or VAR_DIR) into the Compose stack, before its first start
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
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet $(2) --require-hashes -r requirements/$(1).lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(PARTS:%=-e %)
	@touch $@
endef

$(RUN_READY): requirements/run.lock $(PARTS:%=%/pyproject.toml) | $(BIN)/uv
	$(call install,run)

# Compiled at once: tests start processes by the hundred, and where PYTHONDONTWRITEBYTECODE is set, as it is in many
# containers, each of them would compile all that it imports.
$(DEV_READY): requirements/dev.lock $(PARTS:%=%/pyproject.toml) | $(BIN)/uv
	$(call install,dev,--compile-bytecode)
	@touch $(RUN_READY)
