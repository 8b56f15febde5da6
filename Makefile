# `make demo` and `make test` set everything up by themselves; they need Python 3.11+, git and make.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS = all,dev
# The pins in constraints.txt are what the tests ran with. pip resolves torch to the build its index
# offers; install the small CPU build into .venv first if you want that one, and it is kept. What is imported
# is compiled then; to compile all of it now would take a minute.
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
# An environment in which Python keeps nothing it compiled would have every process compile torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all test-torch test-numpy test-faults docs site notebooks lint clean

# A finished demo is moved aside, an interrupted one goes on. ARGS="--seed 1" passes flags.
demo: .venv/.ok
	@if [ -e runs/demo/results.json ]; then mv runs/demo "runs/demo-$$(date +%Y%m%d-%H%M%S)"; fi
	$(BIN)/relational-rnn train nth-farthest --out runs/demo \
		$$(if [ -e runs/demo/config.json ]; then echo --resume; else echo --preset quick; fi) $(ARGS)

# Every test once: what needs torch in one environment, all else in the one without (and the smoke tests in both).
# As many processes as cores, each with one thread: together they would only wait for each other.
# What `make docs` runs is left to it; make test-all has that too, and the slow tests.
FAST = not slow and
PAGES = tests/test_docs.py tests/contracts/test_public.py
test-all: FAST =
test-all: PAGES =
test-all: export RELATIONAL_RNN_EXAMPLES = 100
test: lint test-torch test-numpy
test-all: lint test-torch test-numpy

test-torch test-numpy: export OMP_NUM_THREADS = 1
test-torch: .venv/.ok | lint  # whose mypy fills the cache that a test of mypy reads
	$(BIN)/python -m pytest -n auto --dist worksteal -m "$(FAST) (torch or smoke)" $(PAGES:%=--ignore=%)

test-numpy: .venv-numpy/.ok
	.venv-numpy/bin/python -m pytest -n auto --dist worksteal -m "$(FAST) not torch"

# Kills runs, 200 times instead of 4.
test-faults: export OMP_NUM_THREADS = 1
test-faults: .venv-numpy/.ok
	RELATIONAL_RNN_KILLS=200 .venv-numpy/bin/python -m pytest -n auto tests/faults

# The site, into build/site: no warning, failing snippet or undocumented symbol passes. The notebooks are executed
# once more, and compared.
docs site notebooks: export OMP_NUM_THREADS = 1
docs: site notebooks
	@echo "The site is in build/site: open build/site/docs/index.html"

site: .venv/.docs-ok
	$(BIN)/python -m pytest -m "not slow" $(PAGES)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs . build/site
	$(BIN)/relational-rnn playground --out build/site/playground.html
	$(BIN)/python -m pytest tests/browser/test_site.py

notebooks: .venv/.docs-ok
	$(BIN)/python -m pytest tests/notebooks

lint: .venv/.ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/.ok: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python $(PIP_INSTALL) -e '.[$(EXTRAS)]'
	touch $@

.venv/.docs-ok: .venv/.ok
	case "$(EXTRAS)" in *docs*) ;; *) $(BIN)/python $(PIP_INSTALL) -e '.[docs]' ;; esac
	touch $@

# The same package without torch: proves that everything NumPy works there.
.venv-numpy/.ok: pyproject.toml constraints.txt
	test -x .venv-numpy/bin/python || $(PYTHON) -m venv .venv-numpy
	.venv-numpy/bin/python $(PIP_INSTALL) -e '.[plot,sweep,rl]' pytest pytest-xdist hypothesis beartype playwright
	touch $@

clean:
	rm -rf .venv .venv-numpy build dist
