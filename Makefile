# `make` alone lists what there is. Every target sets up what it needs: a fresh clone can start anywhere.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-changed lane unit contract faults terraform-test sandbox-test browser integration screenshots plan lint lint-python lint-others format build release publish bench soak up status logs down lock clean
SHELL := /bin/sh
PY := .venv/bin

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make the environments from their lock files, build the portal's pages
	@scripts/setup

# The pages' packages are for their tests; they take 350 MB.
demo up status: export PORTAL_SLIM := yes
demo: ## Play the whole story on this machine, without any account
	@scripts/prerequisites
	@scripts/setup
	@scripts/demo

test: setup build ## Run the tests: seven minutes on two idle cores
	@scripts/chromium >/dev/null
	@scripts/run_tests

test-all: setup build ## Run every test: other modes, all pages, all faults, soak, generated input; some hours
	@scripts/chromium >/dev/null
	@scripts/run_tests --set all

test-changed: setup build ## Run what `make test-all` adds for the files that changed, within ten minutes
	@scripts/chromium >/dev/null
	@scripts/run_tests --set changed --within 10

lane: setup build ## Run one lane of the tests: make lane LANE=story
	@scripts/chromium >/dev/null
	@scripts/run_tests $(LANE)

unit: setup ## Run the fast tests (a minute on two cores)
	@scripts/run_tests unit

contract: setup ## Run the tests with generated input, the sandbox's servers and real tools
	@scripts/run_tests contract

faults: setup ## Inject faults at calls of every flow, and interleave invocations; FAULTS=<seed> or FAULTS=all
	@scripts/run_tests faults

terraform-test: setup build ## Run the Terraform tests, and check permissions and plans
	@scripts/run_tests terraform

sandbox-test: setup ## Run the tests of the sandbox's own parts
	@scripts/run_tests sandbox portal

browser: setup ## Run the tests of the portal's pages in Chromium
	@scripts/chromium >/dev/null
	@scripts/run_tests browser

integration: setup build ## Run every story against sandboxes of their own
	@scripts/chromium >/dev/null
	@scripts/run_tests integration

screenshots: setup ## Take the documentation's pictures of the portal: docs/images/portal-*.png
	scripts/chromium
	$(PY)/pytest tests/browser/screenshots.py

plan: setup ## Show what an example makes, without an account: make plan ENV=port-hosted
	@scripts/plan $(or $(ENV),port-hosted)

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
	scripts/terraform fmt -check -recursive examples
	scripts/lint_terraform
	scripts/terraform_docs --check
	scripts/lint_workflows
	scripts/audit
	scripts/portal lint

format: setup ## Format all code
	$(PY)/ruff check --fix
	$(PY)/ruff format
	scripts/terraform fmt -recursive terraform
	scripts/terraform fmt -recursive examples
	scripts/terraform_docs

build: setup ## Build the layer and the functions into build/
	@scripts/build

release: setup ## Build a release into dist/: make release VERSION=1.2.3
	@scripts/release "$(VERSION)"

publish: ## Publish dist/ as the GitHub release of the tag that is pushed: make publish VERSION=1.2.3
	gh release create "v$(VERSION)" dist/* --verify-tag --title "Slipway $(VERSION)" --notes-file dist/NOTES.md

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
	rm -rf .venv sandbox/.venv sandbox/.lambda-venv sandbox/portal/node_modules sandbox/portal/dist build dist .sandbox .mypy_cache .ruff_cache .pytest_cache .hypothesis
