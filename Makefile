# make demo: simulate three recordings and analyse them.  make test: everything that CI runs.
PYTHON ?= python3
CORES ?= 2
BIN := .venv/bin
LOCKED := .venv/.requirements-installed
READY := .venv/.package-installed

# The rules of the workflow call `xcebra-nwb` by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test bench docs clean

demo: $(READY)
	$(BIN)/snakemake --cores $(CORES)
	$(BIN)/xcebra-nwb summarize --results results --sessions config/sessions.tsv --score

test: export OMP_NUM_THREADS = 1
test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow benchmarks
	$(BIN)/snakemake --lint
	$(BIN)/pytest --cov --cov-report=term --numprocesses $(CORES) --dist worksteal

# CPU time of the parts, one thread, kept in .benchmarks/ for comparisons (docs/benchmarks.md).
bench: export OMP_NUM_THREADS = 1
bench: $(READY)
	$(BIN)/pytest --override-ini addopts= --override-ini "python_files=bench_*.py" --override-ini "python_functions=bench_*" \
		--benchmark-timer=time.process_time --benchmark-autosave --benchmark-columns=min,median,iqr,rounds --benchmark-sort=name benchmarks/parts

# The JSON schema, the default YAML and the table of keys, from the typed config; the list of refusals.
docs: $(READY)
	$(BIN)/python -m xcebra_nwb.config_docs .

clean:
	rm -rf .venv results .snakemake .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	touch $@

$(READY): $(LOCKED) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
