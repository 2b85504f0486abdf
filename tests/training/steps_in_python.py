"""Neurons as a function with gradients, step by step in PyTorch: the twin of the native kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sc_neurocore.neurons import (
    LIF,
)

# Width of the fast sigmoid, in units of v_threshold - v_reset.
SURROGATE_WIDTH = 0.5


class Fire(torch.autograd.Function):
    """LIF neurons over a sequence, with a backward pass that is faster than recorded steps.

    The forward pass uses float64 and the order of operations of the native kernels. Gradients have the
    type of the weights.
    """

    @staticmethod
    def forward(
        ctx: Any,
        drive: Tensor,
        gain: Tensor,
        recurrent: Tensor | None,
        noise: Tensor | None,
        neuron: LIF,
    ) -> tuple[Tensor, Tensor]:
        """Return spikes (time, batch, neurons), and the last potentials (batch, neurons).

        The drive (time, batch, neurons) is the current before the gain. The gain is a scalar or has
        shape (neurons,), and so have the parameters of the neuron. Recurrent weights (time, neurons,
        neurons) add the spikes of the previous step. Noise broadcasts to the drive.
        """
        total = drive.double()
        leak = _constant(neuron.dt / neuron.tau_mem, total)
        synaptic = _constant(_synaptic_leak(neuron), total)
        resistance = _constant(neuron.resistance * neuron.dt, total)
        v_rest, v_reset = _constant(neuron.v_rest, total), _constant(neuron.v_reset, total)
        v_threshold = _constant(neuron.v_threshold, total)
        fall = _constant(neuron.v_threshold - neuron.v_reset, total)
        period = _constant(neuron.refractory_period * 1.0, total)
        if recurrent is not None:
            total = total.clone()
        over, spikes = torch.empty_like(drive), torch.zeros_like(drive)
        rests_at_all = bool(np.any(neuron.refractory_period))
        awake = torch.ones_like(total, dtype=torch.bool) if rests_at_all else None
        v = torch.zeros_like(total[0]) + v_rest
        i, rests = torch.zeros_like(v), torch.zeros_like(v)
        for t in range(len(total)):
            if recurrent is not None and t > 0:
                total[t] += (spikes[t - 1] @ recurrent[t].mT).double()
            i = (i - i * synaptic) + gain * total[t]
            x = (v - (v - v_rest) * leak) + resistance * i
            if noise is not None:
                x = x + noise[t]
            if awake is not None:
                awake[t] = rests == 0
                x = torch.where(awake[t], x, v)
            fires = x >= v_threshold
            if awake is not None:
                fires &= awake[t]
                rests = torch.where(fires, period, (rests - 1).clamp_(min=0))
            after = x - fall if neuron.reset == "subtract" else v_reset
            v = torch.where(fires, after, x)
            over[t], spikes[t] = x - v_threshold, fires
        ctx.save_for_backward(total.to(drive.dtype), gain, recurrent, over, spikes, awake)
        ctx.neuron = neuron
        return spikes, v

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Propagate gradients through time; none pass through a reset."""
        with torch.autocast(grads[0].device.type, enabled=False):
            return _propagated(ctx, *grads)


def _propagated(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
    """Return the gradients for the arguments of `Fire.forward`."""
    total, gain, recurrent, over, spikes, awake = ctx.saved_tensors
    neuron, of_spikes, of_v = ctx.neuron, grads[0], grads[1].to(over.dtype)
    slope = torch.zeros_like(over)
    widths = SURROGATE_WIDTH * (neuron.v_threshold - neuron.v_reset)
    fires = np.isfinite(widths)
    if np.any(fires):
        width = _constant(widths, over)
        slope = over.abs().div_(width).add_(1).square_().mul_(width).reciprocal_()
        if not np.all(fires):
            slope = slope.nan_to_num_(nan=0.0)  # inf / inf of neurons that never fire
    # Derivatives of a potential by the previous potential and by its current.
    leak = _constant(neuron.dt / neuron.tau_mem, over)
    resistance = _constant(neuron.resistance * neuron.dt, over)
    keeps: Any = [1 - leak] * len(over)
    moves: Any = [resistance] * len(over)
    if awake is not None:
        here = awake.to(over.dtype)
        slope, keeps, moves = slope * here, 1 - leak * here, resistance * here
    stays = 1 - spikes if neuron.reset == "value" else None
    gain_here = gain.to(over.dtype)
    of_total, of_i = torch.empty_like(over), torch.zeros_like(of_v)
    filtered = bool(np.any(neuron.tau_syn))
    current_left = _constant(1 - _synaptic_leak(neuron), over)
    for t in range(len(over) - 1, -1, -1):
        of_spike = of_spikes[t]
        if recurrent is not None and t + 1 < len(over):
            of_spike = of_spike + of_total[t + 1] @ recurrent[t + 1]
        of_x = torch.addcmul(of_v if stays is None else of_v * stays[t], of_spike, slope[t])
        of_i = of_x * moves[t] + (of_i * current_left if filtered else 0.0)
        torch.mul(of_i, gain_here, out=of_total[t])
        of_v = of_x * keeps[t]
    of_recurrent = None
    if recurrent is not None and ctx.needs_input_grad[2]:
        of_recurrent = torch.zeros_like(recurrent)
        of_recurrent[1:] = of_total[1:].mT @ spikes[:-1]
    of_gain = None
    if ctx.needs_input_grad[1]:
        products = of_total * total
        of_gain = (products.sum((0, 1)) if gain.ndim else products.sum()).double() / gain
    return of_total, of_gain, of_recurrent, None, None


def _synaptic_leak(neuron: LIF) -> Any:
    """Return the fraction of a synaptic current that decays per step, 1 without a synaptic filter."""
    tau = np.asarray(neuron.tau_syn)
    leak = np.where(tau > 0, neuron.dt / np.where(tau > 0, tau, 1.0), 1.0)
    return leak if leak.ndim else leak.item()


def _constant(value: Any, like: Tensor) -> Any:
    """Return a number as it is, and an array of one per neuron as a tensor."""
    if not isinstance(value, np.ndarray):
        return value
    return torch.tensor(value, dtype=like.dtype, device=like.device)
