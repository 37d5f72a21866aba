# make lab    open the course          make test   check everything
# Each does all it needs after a clone: Python 3.11 to 3.13, make and git are enough.
VENV ?= .venv
PY   := $(VENV)/bin/python
READY := $(VENV)/.ready
# The first interpreter in range wins; `make lab PYTHON=/path/to/python3.12` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
JOBS ?= 2

.PHONY: lab test test-browser refresh lock lint clean

lab: $(READY)
	@$(PY) -m labkit lab

test: $(READY)
	$(PY) -m ruff check .
	$(PY) -m pytest -n $(JOBS) --dist loadscope

test-browser: $(READY)
	$(PY) -m pytest -p no:xdist tests/browser

# Run lessons top to bottom in a fresh kernel and store their outputs: make refresh LESSONS=notebooks/02*.ipynb
LESSONS ?= $(sort $(wildcard notebooks/*.ipynb))
refresh: $(READY)
	$(PY) tools/refresh.py $(LESSONS)

# No address of a package index goes into the lock, so that it serves behind any mirror.
lock: $(READY)
	$(VENV)/bin/uv pip compile pyproject.toml --extra test --extra setup --universal --python-version 3.11 \
	  --fork-strategy fewest --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock $(LOCK)

lint: $(READY)
	$(PY) -m ruff check . && $(PY) -m ruff format --check .

clean:
	rm -rf $(VENV)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make lab PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) (once): a minute or two, 1.7 GB on disk."
	@$(PYTHON) -m venv --clear $(VENV) || { echo "Could not make a virtual environment. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@# uv installs in seconds what takes pip two minutes; where uv does not work, pip does the same from the same lock.
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.txt
	@{ $(PY) -m pip install -q --require-hashes -r $(VENV)/uv.txt && \
	   $(VENV)/bin/uv pip sync -q --python $(PY) --compile-bytecode --require-hashes requirements.lock; } || \
	 { echo "uv did not succeed; installing with pip instead."; $(PY) -m pip install -q --require-hashes -r requirements.lock; }
	@# flit-core comes with the lock, so the project itself installs without asking for anything more.
	@{ $(VENV)/bin/uv pip install -q --python $(PY) --no-deps --no-build-isolation --offline -e . 2>/dev/null || \
	   $(PY) -m pip install -q --no-deps --no-build-isolation -e .; }
	@touch $@
	@echo "Ready."
