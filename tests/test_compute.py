"""How networks compute: number format and memory."""

import os
import subprocess
import sys

import pytest
import torch

from exmus_lib.networks import compute


@pytest.mark.parametrize(
    "limit, allowed", [(None, True), ("AVX512_CORE_AMX", True), ("default", True), ("AVX2", False)]
)
def test_bfloat16_is_chosen_only_where_onednn_may_use_the_tiles(monkeypatch, limit, allowed):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert compute.precision("slowfast_r50", training=True) == ("bf16-mixed" if allowed else "32-true")
    assert compute.precision("x3d_m", training=True) == "32-true"


FAULTS = """
import resource, torch
from exmus_lib.networks import compute
compute.prepare(torch.nn.Conv3d(3, 3, 1))
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):  # the heap grows for the first few
    torch.ones(16 << 20)
before = faults()
for _ in range(4):
    torch.ones(16 << 20)
print(faults() - before)
"""


@pytest.mark.skipif(not os.path.exists("/lib64/ld-linux-x86-64.so.2"), reason="glibc's settings alone are changed")
def test_memory_that_a_tensor_leaves_is_not_faulted_in_again():
    out = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(out.stdout) < 1000  # four times 64 MB are 65,536 pages
