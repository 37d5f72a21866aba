# make lab opens the course, make test checks everything, make help lists all targets.
# Each does what it needs after a clone: Python 3.11 to 3.13, make and git are enough.
JOBS ?= 2

# The first interpreter in range; `make lab PYTHON=/path/to/python3.12` names another.
IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	if $$python -c '$(IN_RANGE)' 2>/dev/null; then echo $$python; break; fi; done)
NO_PYTHON := The course needs Python 3.11, 3.12 or 3.13. Install one, or name it: make lab PYTHON=/path/to/python3.12

# .venv has one version of Python. Another one that is named has a folder of its own: .venv-3.13.
VERSION := -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
ifeq ($(origin PYTHON),file)
VENV ?= .venv
else
MADE_WITH := $(shell test -e .venv/.ready && .venv/bin/python $(VERSION))
NAMED := $(if $(PYTHON),$(shell $(PYTHON) $(VERSION)))
VENV ?= .venv$(if $(MADE_WITH),$(if $(filter $(MADE_WITH),$(NAMED)),,-$(NAMED)))
endif
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

HAS_BUILD := import platform, sys; machine = platform.system(), platform.machine(); \
	builds = [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Windows", "AMD64")]; \
	sys.exit(machine not in builds or machine[0] == "Linux" and platform.libc_ver()[0] != "glibc")
NO_BUILD := TensorFlow has no build for this Python on this machine: the course needs Linux with glibc (not Alpine), \
	Windows on x64, or a Mac with Apple silicon and an arm64 build of Python.
# Without a network, pip tries for two minutes. This asks the index that pip is configured to use, and gives up early.
ANSWERS := import subprocess, sys; null = subprocess.DEVNULL; \
	subprocess.run([sys.executable, "-m", "pip", "index", "versions", "flit-core", "--retries", "1"], \
	  check=True, timeout=12, stdin=null, stdout=null, stderr=null)
NO_ANSWER := The package index does not answer, so nothing can be installed. The set-up needs a network connection \
	once; behind a proxy, set HTTPS_PROXY; with an index of your own, see: pip config list

# The packages of another environment, such as that of ROS, must not take the place of those of the course.
unexport PYTHONPATH PYTHONHOME

.PHONY: lab test durations test-browser refresh pages site guides notebooks lint typecheck imports \
	bench-trust bench-coverage bench-own-models bench-serving bench-mutations bench-solutions hub hub-load lock clean help

lab: $(READY) ## open the course in JupyterLab, on your own copies of the lessons; LESSON=02 opens that one
	@$(PY) -m labkit lab $(LESSON)

test: $(READY) lint typecheck imports ## check everything; FAST=1: what a minute allows; PYTHON=python3.13: with that version
	$(PY) -m pytest -n $(JOBS) --dist loadscope $(if $(FAST),--fast -q)

durations: $(READY) ## print what each file and lesson costs, from the last run of the tests
	@$(PY) tools/durations.py $(if $(LEAST),--least $(LEAST))

test-browser: $(READY) ## play every lesson in a real JupyterLab: ONLY="00 03" for some, PART=1/3 for a third
	$(PY) -m pytest -n $(JOBS) --dist loadscope --only="$(ONLY)" --part=$(or $(PART),1/1) tests/browser

LESSONS ?= $(sort $(wildcard notebooks/*.ipynb notebooks/trials/*.ipynb))
refresh: $(READY) ## run lessons and trials and store their outputs: make refresh LESSONS=notebooks/02*.ipynb
	$(PY) tools/refresh.py $(LESSONS)

site: $(READY) ## make the reading edition, build/site/html: all lessons with their outputs, as web pages
	@$(PY) -c 'import furo, myst_nb' 2>/dev/null || $(VENV)/bin/uv pip install -q --python $(PY) \
	  -c requirements.lock --no-build-isolation -e ".[site]"
	$(PY) tools/site/make_site.py

pages: $(READY) ## bring the index pages, CLAIMS.md and the generated parts of README.md and labkit/README.md up to date
	$(PY) tools/pages.py

guides: $(READY) ## make one page to print of the teacher's guides, build/guides.html: ONLY="00 02" for some
	$(PY) tools/print_guides.py $(ONLY)

notebooks: $(READY) ## check the contract for lessons and trials; FIX=1 repairs kernelspec, ids and metadata
	$(PY) tools/notebook_check.py $(if $(FIX),--fix) $(LESSONS)

lint: $(READY) ## check style, format and spelling
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/codespell

typecheck: $(READY) ## check the types of labkit and tools
	$(PY) -m mypy

imports: $(READY) ## check which part of labkit imports which
	$(VENV)/bin/lint-imports --no-logo

bench-trust: $(READY) ## compare labkit.compare with other tools (25 minutes); then make pages
	$(PY) tools/benchmarks/measurement_trust.py

bench-coverage: $(READY) ## simulate how often an interval of labkit.compare holds the true ratio (10 minutes)
	$(PY) tools/benchmarks/coverage.py

bench-own-models: $(READY) ## diagnose real architectures and models of every kind (20 minutes)
	$(PY) tools/benchmarks/own_models.py

bench-serving: $(READY) ## measure a loop, a batcher and servers, and try to lose requests (10 minutes); then make pages
	$(PY) tools/benchmarks/serving.py

bench-mutations: $(READY) ## break lessons and see whether the tests notice: ONLY=02 for one lesson
	$(PY) tools/benchmarks/mutate_lessons.py $(ONLY)

bench-solutions: $(READY) ## change solutions a little and see whether their checkers refuse that: ONLY=02
	$(PY) tools/benchmarks/mutate_solutions.py $(ONLY)

# What teaching/hub/hub_settings.py reads. A port of the hub's is three: the two after it are its own.
HUB_OPTIONS = LABKIT_HUB_PORT="$(PORT)" LABKIT_HUB_TRUST_EACH_OTHER="$(TRUST_EACH_OTHER)"
HUB_PY := .venv-hub/bin/python
hub: .venv-hub/.ready ## start JupyterHub for a room on 127.0.0.1: sudo make hub LEARNERS=20; see teaching/hub/README.md
	@$(if $(LEARNERS),$(HUB_PY) teaching/hub/accounts.py $(LEARNERS))
	@$(HUB_OPTIONS) $(HUB_PY) -m jupyterhub -f teaching/hub/jupyterhub_config.py

hub-load: .venv-hub/.ready ## let 1, 5, 10 and 20 learners run a lesson on a hub at once: COUNTS="1 2", LESSON=02
	$(PY) teaching/hub/load_test.py $(COUNTS) --lesson $(or $(LESSON),02)

.venv-hub/.ready: $(READY) teaching/hub/requirements.lock teaching/hub/install.py
	@echo "Setting up .venv-hub for JupyterHub (once)."
	@$(PY) teaching/hub/install.py .venv-hub

# Without the address of a package index, the lock works with any mirror.
lock: $(READY) ## renew requirements.lock; LOCK=--upgrade takes newer versions
	$(VENV)/bin/uv pip compile pyproject.toml --extra test --extra setup --universal --python-version 3.11 \
	  --fork-strategy fewest --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock $(LOCK)

clean: ## remove the virtual environments, the site and the caches; workspace/ stays
	rm -rf .venv .venv-3.* .venv-hub $(VENV) build .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-17s %s\n", $$1, $$2}' Makefile

# uv installs in seconds what takes pip two minutes; where uv does not work, pip installs the same lock.
# flit-core is in the lock, so that the project itself installs without a download.
$(READY): requirements.lock
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(IN_RANGE)' 2>/dev/null || { echo "$(NO_PYTHON)"; exit 1; }
	@$(PYTHON) -c '$(HAS_BUILD)' || { echo "$(NO_BUILD)"; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) (once): a minute or two, 2.3 GiB on disk."
	@$(PYTHON) -m venv --clear $(VENV) || \
	 { echo "Could not make a virtual environment. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(PY) -c '$(ANSWERS)' 2>/dev/null || { echo "$(NO_ANSWER)"; exit 1; }
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.txt
	@{ $(PY) -m pip install -q --require-hashes -r $(VENV)/uv.txt && \
	   $(VENV)/bin/uv pip sync -q --python $(PY) --compile-bytecode --require-hashes requirements.lock; } || \
	 { echo "uv did not succeed; installing with pip instead."; \
	   $(PY) -m pip install -q --require-hashes -r requirements.lock; } || \
	 { echo "Could not install the packages, see above. The set-up needs a network connection once."; exit 1; }
	@$(VENV)/bin/uv pip install -q --python $(PY) --no-deps --no-build-isolation --offline -e . 2>/dev/null || \
	 $(PY) -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@
	@echo "Ready."
