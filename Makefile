# `make` alone lists what there is. Every target sets up what it needs: a fresh clone can start anywhere.
.DEFAULT_GOAL := help
.PHONY: help setup demo test checks unit contract faults browser screenshots sandbox-test terraform-test plan integration lint lint-python lint-others format build bench soak up status logs down lock clean
SHELL := /bin/sh
PY := .venv/bin

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make the environments from their lock files, build the portal's pages
	@scripts/setup

demo: setup ## Play the whole story on this machine, without any account
	@scripts/demo

# The integration tests mostly wait, for probes and approvals: the others use the processors meanwhile.
test: setup build ## Run every test
	@scripts/chromium
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=line checks integration

checks: ## Run the tests that need no sandbox of their own, one after the other
	@$(MAKE) --no-print-directory --jobs 1 unit contract sandbox-test browser terraform-test faults

unit: setup ## Run the fast tests (a minute on two cores)
	$(PY)/pytest --numprocesses 2 tests/unit

contract: setup ## Run the tests with hostile and drawn input, with the sandbox's servers and with real tools
	$(PY)/pytest --numprocesses 2 tests/property tests/contract

faults: setup ## Spoil each call of each flow once, and have invocations overtake each other; all: FAULTS=all
	$(PY)/pytest --numprocesses 2 tests/faults

browser: setup ## Run the tests of the portal's pages in Chromium
	scripts/chromium
	$(PY)/pytest --numprocesses 2 --dist loadfile tests/browser

screenshots: setup ## Take the documentation's pictures of the portal: docs/images/portal-*.png
	scripts/chromium
	$(PY)/pytest tests/browser/screenshots.py

sandbox-test: setup ## Run the tests of the sandbox's own parts
	cd sandbox && .venv/bin/pytest --numprocesses 2 --dist loadfile tests
	scripts/portal test

terraform-test: setup ## Check the Terraform code: init, validate, test with a mocked provider
	scripts/terraform -chdir=terraform init -backend=false -input=false -lockfile=readonly >/dev/null
	scripts/terraform -chdir=terraform validate
	scripts/terraform_test
	scripts/permissions --check
	$(MAKE) --no-print-directory plan ENV=port-hosted >/dev/null
	$(MAKE) --no-print-directory plan ENV=msk >/dev/null

plan: setup ## Show what an example environment makes, without an account: make plan ENV=port-hosted
	@scripts/plan $(or $(ENV),port-hosted)

integration: setup build ## Run the story's tests and a small soak against two sandboxes of their own
	scripts/chromium
	$(PY)/pytest --output build/integration --numprocesses 2 tests/integration

lint: setup ## Check style, types, imports, Terraform, the workflows, the portal and known vulnerabilities
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint-python lint-others

lint-python: setup
	$(PY)/ruff check
	$(PY)/ruff format --check
	$(PY)/mypy
	sandbox/.venv/bin/mypy --config-file sandbox/pyproject.toml
	$(PY)/lint-imports

lint-others: setup
	scripts/terraform fmt -check -recursive terraform
	scripts/lint_terraform
	scripts/terraform_docs --check
	scripts/lint_workflows
	scripts/audit
	scripts/portal lint

format: setup ## Format all code
	$(PY)/ruff check --fix
	$(PY)/ruff format
	scripts/terraform fmt -recursive terraform
	scripts/terraform_docs

build: setup ## Build the layer and the functions into build/
	@scripts/build

bench: setup build ## Count requests, measure import time and sizes
	@scripts/bench

soak: setup ## Thousands of runs while things go wrong, then an audit: make soak ARGS="--runs 200"
	@scripts/soak $(ARGS)

up: setup ## Start the sandbox
	@scripts/sandbox up

status: ## Show what of the sandbox runs, and what waits for a person in it
	@scripts/sandbox status
	@scripts/status --if-installed --env-file $${SANDBOX_DIR:-.sandbox}/env

logs: ## Show a part's log: make logs PART=aws
	@scripts/sandbox logs $(PART)

down: ## End the sandbox
	@scripts/sandbox down

lock: setup ## Resolve the lock files anew
	scripts/lock --upgrade

clean: down ## Remove environments, builds and the sandbox's data
	rm -rf .venv sandbox/.venv sandbox/.lambda-venv sandbox/portal/node_modules sandbox/portal/dist build .sandbox .mypy_cache .ruff_cache .pytest_cache .hypothesis
