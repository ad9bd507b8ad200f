"""Adam and AdamW on weights that are channels last: PyTorch's own steps, without its copies."""

import io
from collections.abc import Sequence
from functools import partial

import pytest
import torch
from torch import nn

from exmus_lib.networks import compute
from exmus_lib.networks.optimisers import ChannelsLastAdam, ChannelsLastAdamW


def taught(optimiser: type, layouts: Sequence[torch.memory_format]) -> tuple[nn.Module, list[list[int]]]:
    """Two convolutions after a step for each of `layouts`, saved and read again where that changes, and the shapes of tensors
    that the last step copied. In double, so that how they lie changes no digit that counts; one has no gradient at first."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv3d(8, 6, (1, 3, 3)), nn.Conv3d(6, 4, (3, 1, 1))).double()
    views, saved, now = torch.randn(4, 2, 8, 3, 4, 4, dtype=torch.float64), io.BytesIO(), None

    def learn(view: torch.Tensor) -> None:
        net.zero_grad()
        net(view).square().mean().backward()

    for number, (view, layout) in enumerate(zip(views, layouts, strict=True)):
        if layout != now:
            now, chosen = layout, optimiser(net.to(memory_format=layout).parameters(), 0.01, fused=True)
            if number:
                chosen.load_state_dict(torch.load(io.BytesIO(saved.getvalue()), weights_only=True))
        net[0].requires_grad_(number > 0)
        chosen.step(partial(learn, view))  # a closure, as Lightning gives it
        torch.save(chosen.state_dict(), saved := io.BytesIO())
    learn(views[0])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile:
        chosen.step()
    copied = [event.input_shapes[0] for event in profile.events() if event.name == "aten::copy_"]
    return net, [shape for shape in copied if len(shape) == 5]


AS_THEY_COME, LAST = torch.contiguous_format, compute.FORMAT


@pytest.mark.parametrize(
    ("ours", "stock"), [(ChannelsLastAdam, torch.optim.Adam), (ChannelsLastAdamW, torch.optim.AdamW)]
)
def test_a_step_on_channels_last_weights_is_pytorchs_own_and_copies_none(ours, stock):
    plain, _ = taught(stock, [AS_THEY_COME] * 4)
    for layouts in ([LAST] * 4, [AS_THEY_COME] * 2 + [LAST] * 2, [LAST] * 2 + [AS_THEY_COME] * 2):
        net, copied = taught(ours, layouts)
        assert not copied and net[0].weight.is_contiguous(memory_format=layouts[-1])
        for a, b in zip(net.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    assert taught(stock, [LAST] * 4)[1]  # else nothing is gained
