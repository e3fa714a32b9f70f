# make demo    run the tabletop demo (TASK="put the red block in the green bowl" SEED=0)
# make test    run the tests
# make check   ruff, mypy, import-linter
# make chaos   kill publishers and subscribers of pictures 200 times under load (minutes); KILLS=...
# make soak    the whole loop for half an hour with kills: memory, files, ages; MINUTES=...
# make fuzz    put a million mutated inputs through every decoder (minutes); INPUTS=...
# make train   train the embedded checkpoints (hours; state in STATE, by default in the cache; goes on where it stopped)
# make clean   remove what the other targets made
# The first call sets everything up in .venv; later calls start at once.

TASK ?= put the red block in the green bowl
SEED ?= 0
BIN := .venv/bin

.PHONY: demo test check chaos fuzz soak train clean setup

demo: setup
	@$(BIN)/seesay demo "$(TASK)" --seed $(SEED)

test: setup
	@$(BIN)/python -m pytest -q $(ARGS)

check: setup
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

INPUTS ?= 1000000
KILLS ?= 200
MINUTES ?= 30

chaos: setup
	$(BIN)/python -m benchmarks.chaos --kills $(KILLS) --json

soak: setup
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) --json

fuzz: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	$(BIN)/python -m benchmarks.fuzz --inputs $(INPUTS) --json

STATE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/seesay/training
TRAIN := $(BIN)/python -m seesay.perception.training --check $(STATE)/check

train: setup
	$(BIN)/python -m seesay.sim.dataset $(STATE)/held --scenes 20000 --seed 1 --hold-out
	$(BIN)/python -m seesay.sim.dataset $(STATE)/all --scenes 16000 --seed 2
	$(BIN)/python -m seesay.sim.dataset $(STATE)/check --scenes 300 --seed 77 --split test
	$(TRAIN) $(STATE)/held --out $(STATE)/trunk --hold-out --steps 2000 --close-steps 1000 --dense-steps 2000 --cooldown 0
	$(TRAIN) $(STATE)/held --out $(STATE)/held-out --start $(STATE)/trunk/state.pt --hold-out --close-steps 0 --small-steps 1000 --steps 3000
	$(TRAIN) $(STATE)/all --out $(STATE)/shipped --start $(STATE)/trunk/state.pt --close-steps 0 --small-steps 1000 --steps 3000
	@echo "copy $(STATE)/shipped/*-tabletop to perception/checkpoints and $(STATE)/held-out/owlvit-tabletop to benchmarks/checkpoints"

clean:
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

setup: .venv/installed
	@scripts/setup opengl

.venv/installed: pyproject.toml constraints.txt scripts/setup
	@scripts/setup python
