# Needs Python 3.11 or newer with venv, make and git; nothing else.
PYTHON ?= python3.11
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check
BIN = .venv/bin
.DELETE_ON_ERROR:
.PHONY: run test check bench soak format setup dev lock clean

# Start the engine, two emulated plants and the page; prints its address, Ctrl-C stops safely.
run: .venv/run.stamp
	exec $(BIN)/hil run

# Run every test (browser tests need Chromium and are reported as skipped without it).
test: .venv/dev.stamp
	$(BIN)/python -m pytest

# Format, lint, types, import layers and tidiness, as CI does.
check: .venv/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/test_tidy.py

# Measure and write docs/explanation/performance.md.
bench: .venv/dev.stamp
	$(BIN)/python tests/bench/run.py

# Hundreds of kills of runs that record and post, then hours of seeded simulation (HOURS=1).
soak: .venv/dev.stamp
	HIL_KILLS=200 HIL_POSTING_KILLS=100 $(BIN)/python -m pytest -q tests/acceptance/test_crash.py tests/acceptance/test_posting_crash.py
	$(BIN)/python tests/simulation/soak.py --hours $(or $(HOURS),1)

# Rewrite the sources in the house format.
format: .venv/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Install what running needs (done by the other targets).
setup: .venv/run.stamp

# Install what developing needs (done by the other targets).
dev: .venv/dev.stamp

.venv/pyvenv.cfg:
	$(PYTHON) -c 'import sys; sys.exit("hil needs Python 3.11 or newer; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
.venv/run.stamp: requirements.lock pyproject.toml | .venv/pyvenv.cfg
	$(PIP) --only-binary :all: --require-hashes -r requirements.lock
	$(PIP) --no-index --no-deps --no-build-isolation --editable .
	touch $@
.venv/dev.stamp: requirements-dev.lock .venv/run.stamp
	$(PIP) --only-binary :all: --require-hashes -r requirements-dev.lock
	touch $@

UV_COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --quiet
# Resolve the dependencies anew (the only target that needs uv).
lock:
	$(UV_COMPILE) --group build pyproject.toml -o requirements.lock
	$(UV_COMPILE) --group build --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

# Remove the virtual environment.
clean:
	rm -rf .venv
