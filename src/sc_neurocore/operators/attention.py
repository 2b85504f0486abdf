"""Attention of spiking transformers, by AND gates and random selects."""

from __future__ import annotations

from sc_neurocore import _checks
from sc_neurocore.operators._batches import check_length, check_streams
from sc_neurocore.operators.gates import multiply, scaled_add
from sc_neurocore.streams import Bernoulli, Bitstream, Source, stack
from sc_neurocore.streams._dispatch import on_streams

__all__ = ["spiking_attention"]


@on_streams
def spiking_attention(
    q: Bitstream,
    k: Bitstream,
    v: Bitstream,
    *,
    keys: tuple[int, int],
    source: Source = Bernoulli(),
) -> Bitstream:
    """Return the attention of queries to keys and values, by AND gates.

    At each step, a score is 1 with the probability of the mean of ANDs over the D features, and an
    output with that of the mean of ANDs over the M tokens (stochastic spiking attention; Song, Katti,
    Simeone, Rajendran: Stochastic spiking attention: accelerating attention with stochastic computing
    in spiking networks; AICAS 2024)::

        s_ij ~ Bernoulli(sum over d of q_id & k_jd / D)
        z_ie ~ Bernoulli(sum over j of s_ij & v_je / M)

    A random select of one term, `scaled_add`, has this law. There is no softmax. Requires SCC 0 between
    q and k, and between these and v. For white streams of length L, densities and variances are::

        z_ie = sum over j of (sum over d of q_id k_jd / D) v_je / M,   var(z) = z (1 - z) / L

    Parameters
    ----------
    q : Bitstream, of batch shape (..., n, D)
        Queries of n tokens.
    k : Bitstream, of batch shape (..., M, D)
        Keys of M tokens.
    v : Bitstream, of batch shape (..., M, E)
        Values of M tokens.
    keys : tuple of two int
        Keys from `stream_key` of the selects of scores and of outputs, usually with `Role.SELECT`.
    source : Source
        Source of the selects, as in `scaled_add`.

    Returns
    -------
    Bitstream, of batch shape (..., n, E)

    Raises
    ------
    TypeError
        If an operand is not a Bitstream, or another argument has the wrong type.
    ValueError
        If lengths or shapes do not match, or `keys` are not two different keys.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import spiking_attention
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random((4, 8)), rng.random((5, 8)), rng.random((5, 2))
    >>> q, k, v = (encode(x, 65536, key=stream_key(1, Role.INPUT, i)) for i, x in enumerate(p))
    >>> z = spiking_attention(q, k, v, keys=(stream_key(1, Role.SELECT), stream_key(2, Role.SELECT)))
    >>> bool(np.abs(z.probability() - p[0] @ p[1].T / 8 @ p[2] / 5).max() < 0.01)
    True
    """
    check_streams(q=q, k=k, v=v)
    check_length(q, "k", k)
    check_length(q, "v", v)
    for name, operand in (("q", q), ("k", k), ("v", v)):
        if len(operand.shape) < 2 or 0 in operand.shape[-2:]:
            _checks.fail(name, "have batch shape (..., tokens, features)", operand.shape)
    if k.shape[-1] != q.shape[-1]:
        _checks.fail("k", f"have the {q.shape[-1]} features of q", k.shape[-1])
    if v.shape[-2] != k.shape[-2]:
        _checks.fail("v", f"have the {k.shape[-2]} tokens of k", v.shape[-2])
    if not isinstance(keys, tuple) or len(keys) != 2:
        _checks.wrong_type("keys", "be a tuple of two keys", keys)
    first, second = (_checks.power_range("keys", key, 64) for key in keys)
    if first == second:
        _checks.fail("keys", "be different", keys)
    products = multiply(q[..., :, None, :], k[..., None, :, :])
    scores = scaled_add(products, key=first, source=source)
    terms = [multiply(scores[..., :, j, None], v[..., None, j, :]) for j in range(k.shape[-2])]
    return scaled_add(stack(terms), key=second, source=source)
