# make demo    run the tabletop demo (TASK="put the red block in the green bowl" SEED=0)
# make test    run the tests
# make check   ruff, mypy, import-linter
# make train   train the embedded checkpoints
# make clean   remove what the other targets made
# The first call sets everything up in .venv; later calls start at once.

TASK ?= put the red block in the green bowl
SEED ?= 0
BIN := .venv/bin

.PHONY: demo test check train clean setup

demo: setup
	@$(BIN)/seesay demo "$(TASK)" --seed $(SEED)

test: setup
	@$(BIN)/python -m pytest -q $(ARGS)

check: setup
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

train: setup
	@echo "make train: no training script yet" >&2; exit 1

clean:
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

setup: .venv/installed
	@scripts/setup opengl

.venv/installed: pyproject.toml constraints.txt scripts/setup
	@scripts/setup python
