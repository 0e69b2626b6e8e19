# make demo      segment the sample scan with the shipped brain model; results in demo-output/
# make test      lint, types and the quick tests, in an environment of their own
# make test-all  the same and the long tests
# make lint      only ruff and mypy
# make package   build the Python packages and look whether they are complete; results in dist/
# make docs      write the generated pages and pictures of Documentation/ and Resources/Screenshots/ anew

PYTHON ?= python3
VENV ?= .venv
# A file with exact versions (constraints.txt) for builds that must be repeatable.
CONSTRAINTS ?=
# The version that the tests pin; where the platform has no such build, any that pyproject.toml allows.
TORCH ?= torch==2.13.0
# Processes that run tests at the same time; each takes a core and up to 2 GB of memory.
PROCESSES ?= 2

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# Bytecode is written at the first import, for the small part of the packages that is imported at all.
PIP := $(BIN)/python -m pip install --quiet --no-compile $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
SAMPLE := Resources/SampleData/colin27-t1-head.nii.gz
MODEL := brain-structures-mr
# All tests of a file stay in one process, because they share what is trained and segmented once; the order of the files
# is that of Testing/Python/conftest.py.
PYTEST = $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
# From elsewhere, so that the models are those of the installed package, not of this folder.
VERIFY_MODELS = cd $(VENV) && $(BIN:$(VENV)/%=%)/lightmedseg models verify

.PHONY: demo test test-all lint package docs clean
# Both installations are of one environment.
.NOTPARALLEL:

demo: $(VENV)/.installed
	mkdir -p demo-output
	$(BIN)/lightmedseg segment $(SAMPLE) demo-output/brain.seg.nrrd --model $(MODEL) \
		--montage demo-output/brain.png --json demo-output/brain.json
	@echo "Look at demo-output/brain.png, or open demo-output/brain.seg.nrrd in 3D Slicer."

test: $(VENV)/.installed-test lint
	$(PYTEST) -m "not slow and not reliability"
	$(VERIFY_MODELS)

# One run: a second one would import and collect everything once more.
test-all: $(VENV)/.installed-test lint
	$(PYTEST)
	$(VERIFY_MODELS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

package: $(VENV)/.installed-test
	rm -rf dist
	$(BIN)/python Testing/Tools/check_packages.py dist

docs: $(VENV)/.installed-test
	$(BIN)/python Testing/Tools/make_model_cards.py
	$(BIN)/python Testing/Tools/make_data_flow.py
	$(BIN)/python Testing/Tools/make_screenshots.py
	$(BIN)/python Testing/Tools/make_tutorial.py

$(VENV)/.created:
	@# Debian splits ensurepip from Python: there the machine's own pip puts one into the environment.
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --clear --without-pip $(VENV) \
		&& $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	@# torch first and alone, so that a build which the machine already offers is taken.
	$(PIP) "$(TORCH)" || $(PIP) "torch>=2.6,!=2.9.*"
	touch $@

# A copy is installed, as for a user, so the tests that run the command see what users get.
SOURCES := pyproject.toml setup.py $(shell find LightMedSegLib Resources -type f -not -name '*.pyc')

$(VENV)/.installed: $(VENV)/.created $(SOURCES)
	rm -rf build
	$(PIP) .
	touch $@

# It has all that .installed has: the package is built once.
$(VENV)/.installed-test: $(VENV)/.created $(SOURCES) $(CONSTRAINTS)
	rm -rf build
	$(PIP) ".[test]"
	touch $(VENV)/.installed $@

clean:
	rm -rf $(VENV) build dist demo-output *.egg-info
