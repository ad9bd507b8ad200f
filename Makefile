# ExMus: one command each; `make help` says what they do. Works with GNU make 3.81 and later on Linux and macOS.
.PHONY: help predict demo workbook book test test-hard bench lint lab app lock clean
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/ready
MADE := data/raw data/clips outputs exmus.egg-info .pytest_cache .ruff_cache

# A kernel that papermill starts is that of .venv, and is quiet about what its reader cannot change.
export JUPYTER_PREFER_ENV_PATH := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export PYTHONWARNINGS := ignore::DeprecationWarning,ignore::FutureWarning,ignore::SyntaxWarning

# As it was typed: neither make nor the shell reads what quotes, dollars and backticks a name has.
override VIDEO := $(value VIDEO)
export VIDEO

# A video that is uploaded comes as one message, which may be 10 MB large unless this says otherwise.
UPLOADS := 'websocket_max_message_size': 1000000000

help:
	@echo "make predict VIDEO=my.mp4   which exercise a video of yours shows, its repetitions, the muscles"
	@echo "make demo      the sample data, X3D-M and SlowFast-R50 on both tasks, a table beside the paper's"
	@echo "make workbook  every notebook with all its networks, on the sample data"
	@echo "make book      the executed notebooks of one of them as a site, to read or to publish"
	@echo "make test      lint, then the tests; every notebook is among them"
	@echo "make bench     ours against the stock PyTorchVideo recipe on this machine, about a quarter of an hour"
	@echo "make test-hard killed processes, damaged and odd videos and other hard cases, seven minutes"
	@echo "make lint      ruff, and no outputs stored in notebooks"
	@echo "make lab       open the notebooks in JupyterLab, on this machine only"
	@echo "make app       the explorer as a page of its own, on this machine only"
	@echo "make lock      bring requirements.lock up to date with pyproject.toml and the newest releases"
	@echo "make clean     remove data, runs, figures and caches that were made here; keeps .venv"
	@echo
	@echo "The first of them to need it makes .venv (7 to 8 GB, once). Wants Python 3.11, 3.12 or 3.13."

demo workbook: $(READY)
	@$(BIN)/python -m exmus_lib.workbook $@
	@$(BIN)/python -m exmus_lib.scores.paper

book: $(READY)
	@$(BIN)/python tools/book.py

predict: $(READY)
	@[ -n "$$VIDEO" ] || { echo "which video? make predict VIDEO=my.mp4" >&2; exit 2; }
	@$(BIN)/python -m exmus_lib predict "$$VIDEO"

# What a GPU does otherwise is tested by `pytest tests/test_gpu.py`.
test: lint
	OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES= $(BIN)/pytest -n auto --dist loadfile

bench: $(READY)
	@$(BIN)/python benchmarks/bench.py --page

test-hard: $(READY)
	OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES= $(BIN)/pytest -m hard -n auto --dist loadfile
	@OMP_NUM_THREADS=1 $(BIN)/python tests/hard.py

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/nbstripout --verify --keep-id $(wildcard notebooks/[01]*.ipynb)

lab: $(READY)
	$(BIN)/jupyter lab --ip 127.0.0.1 --notebook-dir . --LabApp.default_url /lab/tree/notebooks --ServerApp.tornado_settings="{$(UPLOADS)}"

app: $(READY)
	$(BIN)/python -m exmus_lib.app

lock: $(READY)
	@$(BIN)/uv pip compile -q --upgrade pyproject.toml --extra dev --no-annotate \
		--universal --fork-strategy fewest --python-version 3.11 --custom-compile-command "make lock" -o requirements.lock

clean:
	@for made in $(MADE); do if [ -e $$made ]; then echo "removing $$(du -sh $$made)"; rm -rf $$made; fi; done
	@find exmus_lib tests benchmarks notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} + 2>/dev/null || true
	@echo "kept: .venv, data/labels and all that git tracks"

# uv installs the set three to four times as fast as pip (59 s with uv's own installation, against 197 s), so where it is
# missing it comes from the lock too. `unfinished` stands in .venv while it is being changed: an interrupted set-up begins afresh.
define SET_UP
set -eu
started=$$(date +%s)
[ -t 2 ] && quiet= || quiet=-q
export UV_BUILD_CONSTRAINT=requirements.lock  # three packages come as source: build them with the locked setuptools
uv --version >/dev/null 2>&1 && uv=uv || uv=
fits() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
if [ -e .venv/unfinished ] || ! fits .venv/bin/python; then
    for python in python3 python3.13 python3.12 python3.11 none; do if fits $$python; then break; fi; done
    if [ $$python = none ] && [ -z "$$uv" ]; then
        echo "No Python 3.11, 3.12 or 3.13 among python3, python3.13, python3.12, python3.11 on PATH." \
            "Install one, or use conda: conda env create -f environment.yml" >&2
        exit 1
    fi
    rm -rf .venv
    free=$$(df -Pk . | awk 'NR == 2 { print int($$4 / 1048576) }')
    [ "$${free:-8}" -ge 8 ] || echo "Only $$free GB are free on this disk, and set-up takes 7 to 8: free some, or clone to another disk." >&2
    mkdir .venv
    touch .venv/unfinished
    if [ -n "$$uv" ]; then
        [ $$python != none ] || python=3.13  # uv fetches it
        uv venv -q --allow-existing --seed --python $$python .venv
    else
        $$python -m venv .venv || { echo "$$python -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
    fi
    echo "set-up 1/3  a virtual environment in .venv, with $$(.venv/bin/python -V)"
fi
touch .venv/unfinished
if [ -z "$$uv" ]; then
    echo "set-up 2/3  uv, which installs the rest"
    pin=$$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.lock)
    if .venv/bin/python -m pip install -q --disable-pip-version-check "$$pin"; then
        uv=$(BIN)/uv
    else
        echo "            uv cannot be installed: going on with pip, which takes longer"
    fi
fi
if [ -n "$$uv" ]; then
    install="$$uv pip install $$quiet --compile-bytecode --python .venv/bin/python"  # as pip does
    remove="$$uv pip uninstall $$quiet --python .venv/bin/python"
else
    install=".venv/bin/python -m pip install $$quiet --disable-pip-version-check"
    remove=".venv/bin/python -m pip uninstall $$quiet --yes --disable-pip-version-check"
fi
echo "set-up 3/3  the packages of requirements.lock (about 3 GB to download, 7 to 8 GB on disk)"
$$install -r requirements.lock
$$install --no-deps --no-build-isolation -e .
# It costs papermill and JupyterLab over a second of every start, to check web addresses that are not ASCII, which no notebook has.
$$remove rfc3987-syntax lark || echo "rfc3987-syntax stays: papermill and JupyterLab start a second later"
# A kernel warns at every start that it talks to its notebook without encryption; it does so on this machine only.
mkdir -p .venv/etc/ipython
echo 'c.IPKernelApp.log_level = "ERROR"' > .venv/etc/ipython/ipython_kernel_config.py
# After set-up nothing needs a network, on the rendered sample and for videos of one's own.
$(BIN)/python -c 'from exmus_lib.poses.files import files; files()' 2>/dev/null || echo "BlazePose cannot be fetched: the first video tries again"
mv .venv/unfinished $(READY)
touch $(READY)
echo "set-up took $$(($$(date +%s) - started)) s"
endef
export SET_UP

$(READY): requirements.lock pyproject.toml
	@sh -c "$$SET_UP"
