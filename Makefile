# `make` alone lists the targets. Each target sets up what it needs, so a fresh clone can start with any of them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-changed lane unit contract faults terraform-test integration plan lint lint-python lint-others lint-sandbox format build release publish bench soak up status logs down lock clean chromium
SHELL := /bin/sh
PY := .venv/bin

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make the environments from their lock files, build the portal's pages
	@scripts/setup

# Without the npm packages that only the pages' tests need (350 MB).
demo up status: export PORTAL_SLIM := yes
demo: ## Play the whole story in a sandbox on this machine, without any account
	@scripts/prerequisites
	@scripts/setup
	@scripts/demo

test: setup build chromium ## Run the tests: ten minutes on two idle cores
	@scripts/run_tests

test-all: setup build chromium ## Run every test: other modes, all pages, all faults, soak, generated input; some hours
	@scripts/run_tests --set all

test-changed: setup build chromium ## Run what `make test-all` adds for the files that changed, within ten minutes
	@scripts/run_tests --set changed --within 10

lane: setup build chromium ## Run one lane of the tests: make lane LANE=story
	@scripts/run_tests $(LANE)

unit: setup ## Run the fast tests (a minute on two cores)
	@scripts/run_tests unit

contract: setup ## Run the tests with generated input, the sandbox's servers and real tools
	@scripts/run_tests contract

faults: setup ## Inject faults at calls of every flow, and interleave invocations; FAULTS=<seed> or FAULTS=all
	@scripts/run_tests faults

terraform-test: setup build ## Run the Terraform tests, and check permissions and plans
	@scripts/run_tests terraform

integration: setup build chromium ## Run every story against sandboxes of their own
	@scripts/run_tests integration

# The browser of the pages' tests. Targets with many lanes install it first, so that no lane waits for it.
chromium: setup ## Install Chromium for the tests of the portal's pages
	@$(MAKE) --no-print-directory -C sandbox chromium

plan: setup ## Show what an example creates, without an account: make plan ENV=port-hosted
	@scripts/plan $(or $(ENV),port-hosted)

lint: setup ## Check style, types, imports, Terraform, the workflows, the portal and known vulnerabilities
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint-python lint-others lint-sandbox

lint-python: setup
	$(PY)/ruff check
	$(PY)/ruff format --check
	$(PY)/mypy
	$(PY)/lint-imports

lint-others: setup
	scripts/language
	scripts/terraform fmt -check -recursive terraform
	scripts/terraform fmt -check -recursive examples
	scripts/lint_terraform
	scripts/terraform_docs --check
	scripts/lint_workflows
	scripts/audit

lint-sandbox: setup
	@$(MAKE) --no-print-directory -C sandbox lint

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

bench: setup build ## Count requests, measure ratios and sizes; writes docs/performance.md
	PYTHONPATH=.:shared $(PY)/python -W ignore -m tests.bench

soak: setup ## Thousands of runs while things go wrong, then an audit: make soak ARGS="--runs 200"
	@scripts/soak $(ARGS)

up: setup ## Start the sandbox; sandbox/Makefile has more
logs: ## Show a part's log: make logs PART=aws
down: ## Stop the sandbox
up logs down:
	@$(MAKE) --no-print-directory -C sandbox $@

status: ## Show which parts of the sandbox run, and what waits for a person
	@$(MAKE) --no-print-directory -C sandbox status
	@scripts/status --if-installed --env-file $${SANDBOX_DIR:-.sandbox}/env

lock: setup ## Update the lock files to the newest versions
	scripts/lock --upgrade

clean: ## Remove environments, builds and the sandbox's data
	@$(MAKE) --no-print-directory -C sandbox clean
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
