"""The kernel of plastic layers in plain NumPy: one step, one spike after the other."""

import numpy as np
import twins

WORD = 64


def numbers(key, streams, first, steps):
    """Return the uniform numbers of streams at steps first .. first + steps - 1."""
    first_word = first // WORD
    words = -(-(first % WORD + steps) // WORD)
    every = twins.uniform_numbers(key, streams, first_word, words)
    return every[:, first % WORD : first % WORD + steps]


def codes(p):
    return np.rint(p * 2.0**32).astype(np.uint64)


def streams(n_out, lanes, shared=False):
    rows = np.zeros(n_out, np.uint64) if shared else np.arange(n_out, dtype=np.uint64)
    return rows[:, None] << np.uint64(32) | np.asarray(lanes, np.uint64)


def plastic(rule, parameters, keys, gain, bias, recurrent, shared, x, first, rewards, state):
    """Return the spikes (n, steps) for input bits (n_in, steps); the named parts of state change.

    The eligibility is as it would be had it decayed since the last step t with t % 64 == 0.
    """
    r, (n_in, steps), n = rule, x.shape, len(gain)
    low = 0.0 if r.keeps_sign else -r.w_max
    w, e = state["weights"], state.get("eligibility")
    before = state["before"]
    lanes = np.arange(n_in + 1 + n)
    u = numbers(keys[0], streams(n, lanes, shared).ravel(), first, steps).reshape(n, -1, steps)
    down, up = (
        numbers(k, streams(n, lanes[:n_in]).ravel(), first, steps).reshape(n, n_in, steps)
        for k in keys[2:]
    )
    kept = np.cumprod([1.0, *[r.keep_eligibility or 1.0] * WORD])
    z = twins.normal(keys[1], n, first, steps)
    spikes = np.zeros((n, steps), np.uint8)

    def magnitude(w):
        return np.abs(w) if r.keeps_sign else w

    def signed(m, w):
        return np.copysign(m, w) if r.keeps_sign else m

    def risen(m, by):
        return np.clip(m + by, low, r.w_max)

    def fallen(m, by):
        return np.clip(m - by, low, r.w_max)

    def rise(m, a):
        return a * (r.w_max - m) if r.soft else a

    def fall(m, a):
        return a * (m - low) if r.soft else a

    def lot(p, u):
        return np.where(u < codes(np.clip(p, 0, 1)), r.level, 0.0)

    for s in range(steps):
        t, fed = first + s, np.flatnonzero(x[:, s])
        ones = np.zeros(n, np.int64)
        for i in fed:
            bit = u[:, i, s] < codes(np.abs(w[i]))
            ones += np.where(np.signbit(w[i]), -1, 1) * bit
        lane = n_in
        if bias is not None:
            ones += np.sign(bias) * (u[:, lane, s] < np.abs(bias).astype(np.uint64))
            lane += 1
        if recurrent is not None:
            for sender in np.flatnonzero(before):
                code = recurrent[sender]
                bit = u[:, lane + sender, s] < np.abs(code).astype(np.uint64)
                ones += np.sign(code) * bit
        current = gain * ones
        if r.inhibition:
            current = np.where(before.sum() - before > 0, current - r.inhibition, current)
        fires = np.zeros(n, bool)
        for j in range(n):
            p = parameters[j if len(parameters) > 1 else 0]
            fires[j] = lif_step(p, current[j], z[j, s], j, state, state["theta"][j])
        spikes[:, s] = before[:] = fires
        fired = np.flatnonzero(fires)
        if r.a_plus or r.a_minus or r.a3_plus or r.a3_minus:
            state["x"] *= r.keep_plus
            state["y"] *= r.keep_minus
            state["x2"] *= r.keep_x if r.triplet else 1
            state["y2"] *= r.keep_y if r.triplet else 1
            k = t % WORD
            if e is not None and k == 0:
                e *= kept[WORD]
            inverse = 1 / kept[k]
            for i in fed if r.a_minus or r.a3_minus else ():
                a = state["y"] * (r.a_minus + r.a3_minus * state["x2"][i] if r.triplet else r.a_minus)
                if e is not None:
                    e[i] -= a * inverse
                else:
                    m = magnitude(w[i])
                    by = lot(fall(m, a), down[:, i, s]) if r.level else fall(m, a)
                    w[i] = signed(fallen(m, by), w[i])
            for i in fed:
                state["x"][i] = 1.0 if r.nearest else state["x"][i] + 1.0
                if r.triplet:
                    state["x2"][i] = 1.0 if r.nearest else state["x2"][i] + 1.0
            for j in fired:
                a = state["x"] * (r.a_plus + r.a3_plus * state["y2"][j] if r.triplet else r.a_plus)
                if e is not None:
                    e[:, j] += a * inverse
                else:
                    m = magnitude(w[:, j])
                    by = lot(rise(m, a), up[j, :, s]) if r.level else rise(m, a)
                    w[:, j] = signed(risen(m, by), w[:, j])
            for j in fired:
                state["y"][j] = 1.0 if r.nearest else state["y"][j] + 1.0
                if r.triplet:
                    state["y2"][j] = 1.0 if r.nearest else state["y2"][j] + 1.0
        if r.period and r.total:
            changed = fires | (len(fed) > 0) & (state["y"] != 0)
            if e is not None and rewards is not None and rewards[s]:
                changed[:] = True
            state["average"][changed] = 1.0
        if e is not None and rewards is not None and rewards[s]:
            a = e * (r.learning_rate * rewards[s] * kept[t % WORD])
            m = magnitude(w)
            grown, shrunk = risen(m, rise(m, a)), fallen(m, fall(m, 0.0 - a))
            w[:] = signed(np.where(a >= 0, grown, shrunk), w)
        if r.period:
            if not r.total:
                state["average"] *= r.keep_average
                state["average"][fired] += 1 - r.keep_average
            if (t + 1) % r.period == 0:
                if r.total:
                    sums = np.zeros(n)
                    for i in range(n_in):
                        sums += np.abs(w[i])
                    scales = (sums > 0) & (state["average"] != 0)
                    factors = np.where(scales, r.total / np.where(scales, sums, 1), 1.0)
                    state["average"][:] = 0
                else:
                    factors = np.maximum(1 + r.strength * (r.goal - state["average"]), 0.0)
                w[:] = np.clip(w * factors, -r.w_max, r.w_max)
        if r.threshold_step:
            state["theta"] *= r.keep_threshold
            state["theta"][fired] += r.threshold_step
    return spikes


def lif_step(p, current, z, j, state, theta):
    """Return whether a neuron fires in a step; the potential is that of `twins.lif_step`."""
    v, refractory, i = state["v"], state["refractory"], state["i"]
    if p.syn_leak != 0:
        i[j] = (i[j] - i[j] * p.syn_leak) + current
        current = i[j]
    if refractory[j] > 0:
        if not p.subtracts:
            v[j] = p.v_reset
        refractory[j] -= 1
        return False
    x = (v[j] - (v[j] - p.v_rest) * p.leak) + p.gain * current
    if p.noise_std != 0:
        x = x + p.noise_std * z
    threshold = p.v_threshold + theta
    v[j] = x
    if x < threshold:
        return False
    v[j] = x - (threshold - p.v_reset) if p.subtracts else p.v_reset
    refractory[j] = p.refractory_period
    return True
