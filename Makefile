# Everything starts from an environment of its own, .venv, made from requirements.lock by the first command that needs it.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help environment demo test soak conformance lint format packages schema bench clean

help:
	@echo "make demo    run a real task on this machine: it builds tcworker's own wheel"
	@echo "make test    lint, then the whole test suite; installs what it needs with apt"
	@echo "make soak    the suite, with those tests whole that it else runs in a short form"
	@echo "make conformance ROOT_URL=...  ask any Taskcluster whether it behaves as one, with TASKCLUSTER_CLIENT_ID and"
	@echo "             TASKCLUSTER_ACCESS_TOKEN in the environment; without ROOT_URL, a server of its own"
	@echo "make lint    ruff and mypy"
	@echo "make format  let ruff write what it can"
	@echo "make schema  write docs/payload-schema.json"
	@echo "make bench   measure a worker and a server, and hold them against their limits"
	@echo "make clean   remove what these commands made"

environment: $(READY)

$(READY): requirements.lock setup.py pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || tests/install-packages python3-venv
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)
	$(BIN)/tcworker run examples/build-wheel.yml

packages:
	@tests/install-packages $$(sed 's/#.*//' tests/packages.txt)

# Whatever Taskcluster somebody works with otherwise, these two leave it alone.
test: lint packages
	TASKCLUSTER_ROOT_URL= $(BIN)/python -m tests.run

soak: $(READY) packages
	TASKCLUSTER_ROOT_URL= TCWORKER_SOAK=1 $(BIN)/python -m tests.run

conformance: $(READY)
	TASKCLUSTER_ROOT_URL='$(or $(ROOT_URL),$(TASKCLUSTER_ROOT_URL))' $(BIN)/python -m tests.run tests.conformance

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(READY)
	$(BIN)/tcworker schema native > docs/payload-schema.json.new && mv docs/payload-schema.json.new docs/payload-schema.json

bench: $(READY)
	@status=0; for program in bench/limits.py bench/artifacts.py bench/own_users.py bench/server.py bench/bench_faults.py \
		bench/bench_caches.py; do \
		$(BIN)/python $$program || status=1; done; exit $$status

clean:
	rm -rf .venv build dist tcworker.egg-info _trial_temp* .mypy_cache .ruff_cache
