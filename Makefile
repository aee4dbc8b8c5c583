# make demo: the main job on real footage.  make test: lint, types, layers, tests.  make help: this list.
PYTHON ?= python3
VENV   ?= .venv
EXTRAS ?= cpu,int8,hf,search,dev
SOURCE ?=
SECONDS ?= 600
ROUNDS ?= 30
SEED ?= 0
TESTS ?=
export PIP_EXTRA_INDEX_URL
BIN    := $(VENV)/bin

.PHONY: help demo test lint install benchmark slow chaos fuzz load lock odd clean

help:
	@sed -n '1p' Makefile; grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/'

install: $(VENV)/.installed  ## the package, its extras and its tools into .venv

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: install  ## segment, search and color real dash-cam footage; SOURCE=... takes your own
	$(BIN)/python jobs/demo.py $(if $(SOURCE),"$(SOURCE)")

lint: install  ## ruff, pyright, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

test: lint  ## everything that has to be true
	$(BIN)/pytest -n 2 --dist loadfile

slow: install  ## the tests that take half a minute or more each, ten minutes in all; make test leaves them out
	$(BIN)/pytest -n 2 --dist loadfile -m slow $(TESTS)

chaos: install  ## kill drivers, workers, raylets, nodes and the S3 server at random, then count: SECONDS, ROUNDS, SEED
	$(BIN)/python -m tests.chaos --seconds $(SECONDS) --rounds $(ROUNDS) --seed $(SEED)

fuzz: install  ## broken input for everything that parses, SECONDS for each reader; what breaks one is kept in .fuzz
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) --seed $(SEED) $(ARGUMENTS)

odd: install  ## every odd and damaged file of VSS_TEST_DATA through the whole job; minutes
	$(BIN)/pytest -m odd tests/cluster/test_odd_files.py

benchmark: install  ## speed, about 25 minutes, and the README's section about it; PARTS='limits frame' takes some
	$(BIN)/vss benchmark $(PARTS) --work .benchmark --store .github/benchmark.json --readme README.md

load: install  ## 20,000 clips, 50,000 objects, a hundred readers, large pictures; about 20 minutes, ARGUMENTS=--smoke two
	$(BIN)/python -m tests.load $(ARGUMENTS)

lock: install  ## infra/requirements-cpu.lock: every package with its hash, of the versions in constraints.txt
	$(BIN)/python infra/lock.py > infra/requirements-cpu.lock.new
	mv infra/requirements-cpu.lock.new infra/requirements-cpu.lock

clean:  ## what demo and test leave behind
	rm -rf .demo .benchmark .pytest_cache .ruff_cache .hypothesis .fuzz .import_linter_cache
