"""The scan's Triton kernels.

A program holds the states of a few channels of one batch element, (CHANNELS, STATES) numbers, in
registers and walks along time. Where batch and channels are too few to fill a device, time is cut
into segments that are walked side by side: a first walk from zero gives what each segment adds to
the state (its end) and by what it multiplies it (its decay); every program of the second walk then
makes its own start from the ends and decays of the segments before it.

A sequence is a tuple (pointer, stride of batch, of time, of the last dimension); all else is
contiguous. Offsets are 64-bit, so that tensors may have more than 2^31 elements.
"""

# pyright: basic

import triton
import triton.language as tl

_LOG2_E: tl.constexpr = tl.constexpr(1.4426950408889634)


@triton.jit
def forward_ends(
    x, delta, A, B, bias, ends, products, size, SOFTPLUS: tl.constexpr, EULER: tl.constexpr,
    CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """Writes the end of each segment walked from zero, and the product of its decays."""
    batch, d, segment, first, stop = _place(size, CHANNELS)
    n, in_d, _, tile, in_tile = _tile(size, d, STATES)
    A = tl.load(A + tile, mask=in_tile, other=0.0)
    bias = _of_channel(bias, d, in_d)
    h = tl.zeros((CHANNELS, STATES), tl.float32)
    product = tl.full((CHANNELS, STATES), 1.0, tl.float32)
    for t in range(first, stop):
        step = _step(_row(delta, batch, t, d, in_d) + bias, SOFTPLUS)
        a = _decay(step, A, EULER)
        h = a * h + _inflow(step, x, B, batch, t, d, in_d, n, size)
        product *= a
    own = (batch * size[4] + segment) * size[1] * size[2] + tile
    tl.store(ends + own, h, mask=in_tile)
    tl.store(products + own, product, mask=in_tile)


@triton.jit
def forward(
    x, delta, A, B, C, D, z, bias, ends, products, y, last, starts, size,
    SOFTPLUS: tl.constexpr, EULER: tl.constexpr,
    STEPS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """Writes y, the last state and, where wanted, the state before every STEPS steps."""
    batch, d, segment, first, stop = _place(size, CHANNELS)
    n, in_d, in_n, tile, in_tile = _tile(size, d, STATES)
    A = tl.load(A + tile, mask=in_tile, other=0.0)
    bias = _of_channel(bias, d, in_d)
    D = _of_channel(D, d, in_d)
    h = tl.zeros((CHANNELS, STATES), tl.float32)
    if ends is not None:
        for before in range(0, segment):
            h = _carry(h, ends, products, batch, before, size, tile, in_tile)
    for block in range(first, stop, STEPS):
        if starts is not None:
            kept = _kept(batch, block, size, STEPS)
            tl.store(starts + kept + tile, h, mask=in_tile)
        for t in range(block, tl.minimum(block + STEPS, stop)):
            step = _step(_row(delta, batch, t, d, in_d) + bias, SOFTPLUS)
            h = _decay(step, A, EULER) * h + _inflow(step, x, B, batch, t, d, in_d, n, size)
            C_t = _row(C, batch, t, n, in_n)
            out = tl.sum(h * C_t[None, :], 1) + D * _row(x, batch, t, d, in_d)
            if z is not None:
                gate = _row(z, batch, t, d, in_d)
                out *= gate * tl.sigmoid(gate)
            tl.store(y + (batch * size[0] + t) * size[1] + d, out, mask=in_d)
    if stop == size[0]:
        tl.store(last + batch * size[1] * size[2] + tile, h, mask=in_tile)


@triton.jit
def backward_ends(
    delta, A, C, z, bias, grad_y, ends, products, size,
    SOFTPLUS: tl.constexpr, EULER: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """As `forward_ends`, for what a segment hands back when none is handed to it."""
    batch, d, segment, first, stop = _place(size, CHANNELS)
    n, in_d, in_n, tile, in_tile = _tile(size, d, STATES)
    A = tl.load(A + tile, mask=in_tile, other=0.0)
    bias = _of_channel(bias, d, in_d)
    handed = tl.zeros((CHANNELS, STATES), tl.float32)
    product = tl.full((CHANNELS, STATES), 1.0, tl.float32)
    for back in range(0, stop - first):
        t = stop - 1 - back
        g = _row(grad_y, batch, t, d, in_d)
        if z is not None:
            gate = _row(z, batch, t, d, in_d)
            g *= gate * tl.sigmoid(gate)
        a = _decay(_step(_row(delta, batch, t, d, in_d) + bias, SOFTPLUS), A, EULER)
        handed = a * (g[:, None] * _row(C, batch, t, n, in_n)[None, :] + handed)
        product *= a
    own = (batch * size[4] + segment) * size[1] * size[2] + tile
    tl.store(ends + own, handed, mask=in_tile)
    tl.store(products + own, product, mask=in_tile)


@triton.jit
def backward(  # noqa: PLR0915  (one loop, whose values stay in registers)
    x, delta, A, B, C, D, z, bias, grad_y, starts, ends, products, scratch,
    of_x, of_delta, of_A, of_B, of_C, of_D, of_z, of_bias, size,
    SOFTPLUS: tl.constexpr, EULER: tl.constexpr,
    STEPS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """Writes the gradients: those of sequences, and this program's part of the sums.

    Blocks of STEPS steps go backwards; the states of a block are made again from its kept start,
    into memory that no other program touches. With q the gradient of the state,
    q[t] = g[t] C[t] + a[t+1] q[t+1], where the last term is what is handed back.
    """
    batch, d, segment, first, stop = _place(size, CHANNELS)
    n, in_d, in_n, tile, in_tile = _tile(size, d, STATES)
    A = tl.load(A + tile, mask=in_tile, other=0.0)
    bias = _of_channel(bias, d, in_d)
    D = _of_channel(D, d, in_d)
    # Programs in the order (batch, block of channels), which the parts of B's and C's gradients
    # share, then segments.
    program = tl.program_id(0).to(tl.int64) * tl.num_programs(1) + tl.program_id(1)
    inner = tl.arange(0, CHANNELS)[:, None] * STATES + n[None, :]
    scratch += (program * size[4] + segment) * (STEPS * CHANNELS * STATES) + inner

    handed = tl.zeros((CHANNELS, STATES), tl.float32)
    if ends is not None:
        for back in range(0, size[4] - 1 - segment):
            after = size[4] - 1 - back
            handed = _carry(handed, ends, products, batch, after, size, tile, in_tile)
    sum_A = tl.zeros((CHANNELS, STATES), tl.float32)
    sum_D = tl.zeros((CHANNELS,), tl.float32)
    sum_bias = tl.zeros((CHANNELS,), tl.float32)
    blocks = (stop - first + STEPS - 1) // STEPS
    for block_back in range(0, blocks):
        block = first + (blocks - 1 - block_back) * STEPS
        block_stop = tl.minimum(block + STEPS, stop)
        h = tl.load(starts + _kept(batch, block, size, STEPS) + tile, mask=in_tile, other=0.0)
        for t in range(block, block_stop):
            tl.store(scratch + (t - block) * (CHANNELS * STATES), h)
            step = _step(_row(delta, batch, t, d, in_d) + bias, SOFTPLUS)
            h = _decay(step, A, EULER) * h + _inflow(step, x, B, batch, t, d, in_d, n, size)
        tl.debug_barrier()  # what one thread wrote another may read

        for back in range(0, block_stop - block):
            t = block_stop - 1 - back
            before = tl.load(scratch + (t - block) * (CHANNELS * STATES))
            raw = _row(delta, batch, t, d, in_d) + bias
            step = _step(raw, SOFTPLUS)
            x_t = _row(x, batch, t, d, in_d)
            B_t = _row(B, batch, t, n, in_n)
            C_t = _row(C, batch, t, n, in_n)
            a = _decay(step, A, EULER)
            h = a * before + (step * x_t)[:, None] * B_t[None, :]
            g = _row(grad_y, batch, t, d, in_d)
            here = (batch * size[0] + t) * size[1] + d
            if z is not None:
                gate = _row(z, batch, t, d, in_d)
                open_ = tl.sigmoid(gate)
                out = tl.sum(h * C_t[None, :], 1) + D * x_t
                tl.store(of_z + here, g * out * open_ * (1 + gate * (1 - open_)), mask=in_d)
                g *= gate * open_
            q = g[:, None] * C_t[None, :] + handed
            handed = a * q
            # The gradient of step A: the decay's derivative is the decay, or 1 with Euler.
            of_product = q * before if EULER else handed * before
            through_input = tl.sum(q * B_t[None, :], 1)
            of_step = x_t * through_input + tl.sum(of_product * A, 1)
            if SOFTPLUS:
                of_step *= tl.sigmoid(raw)
            row = (program * size[0] + t) * size[2] + n
            tl.store(of_B + row, tl.sum(q * (step * x_t)[:, None], 0), mask=in_n)
            tl.store(of_C + row, tl.sum(h * g[:, None], 0), mask=in_n)
            tl.store(of_x + here, step * through_input + D * g, mask=in_d)
            tl.store(of_delta + here, of_step, mask=in_d)
            sum_A += of_product * step[:, None]
            sum_D += g * x_t
            sum_bias += of_step
        tl.debug_barrier()  # the block before writes to the same memory
    own = (batch * size[4] + segment) * size[1]
    tl.store(of_A + own * size[2] + tile, sum_A, mask=in_tile)
    if of_D is not None:
        tl.store(of_D + own + d, sum_D, mask=in_d)
    if of_bias is not None:
        tl.store(of_bias + own + d, sum_bias, mask=in_d)


# `size` is everywhere (length, channels, states, steps of a segment, segments).


@triton.jit
def _place(size, CHANNELS: tl.constexpr):
    """Batch element, channels, segment, and its first step and the one after its last."""
    batch = tl.program_id(0).to(tl.int64)
    d = tl.program_id(1).to(tl.int64) * CHANNELS + tl.arange(0, CHANNELS)
    segment = tl.program_id(2).to(tl.int64)
    first = segment * size[3]
    return batch, d, segment, first, tl.minimum(first + size[3], size[0])


@triton.jit
def _tile(size, d, STATES: tl.constexpr):
    """Numbers of states; which channels and states exist; offsets in (channels, states)."""
    n = tl.arange(0, STATES).to(tl.int64)
    in_d, in_n = d < size[1], n < size[2]
    return n, in_d, in_n, d[:, None] * size[2] + n[None, :], in_d[:, None] & in_n[None, :]


@triton.jit
def _row(sequence, batch, t, columns, mask):
    """One step of a sequence."""
    offset = batch * sequence[1] + tl.cast(t, tl.int64) * sequence[2] + columns * sequence[3]
    return tl.load(sequence[0] + offset, mask=mask, other=0.0)


@triton.jit
def _of_channel(vector, d, mask):
    """A vector over channels; zeros where there is none."""
    if vector is None:
        values = tl.zeros(d.shape, tl.float32)
    else:
        values = tl.load(vector + d, mask=mask, other=0.0)
    return values


@triton.jit
def _step(raw, SOFTPLUS: tl.constexpr):
    """Softplus as max(raw, 0) + log1p(e), e = exp(-|raw|); accurate also where it is small.

    log1p(e) = 2 atanh(s) with s = e / (2 + e) <= 1/3, whose series is cut where the rest is below
    2e-9 of the whole.
    """
    if SOFTPLUS:
        e = tl.exp2(-tl.abs(raw) * _LOG2_E)
        s = e / (2 + e)
        w = s * s
        series = 1.0 / 13 + w * (1.0 / 15)
        series = 1.0 / 9 + w * (1.0 / 11 + w * series)
        series = 1.0 / 5 + w * (1.0 / 7 + w * series)
        raw = tl.maximum(raw, 0.0) + 2 * s * (1 + w * (1.0 / 3 + w * series))
    return raw


@triton.jit
def _decay(step, A, EULER: tl.constexpr):
    """Factor of the states over a step."""
    product = step[:, None] * A
    return 1 + product if EULER else tl.exp2(product * _LOG2_E)


@triton.jit
def _inflow(step, x, B, batch, t, d, in_d, n, size):
    """What a step adds to the states."""
    B_t = _row(B, batch, t, n, n < size[2])
    return (step * _row(x, batch, t, d, in_d))[:, None] * B_t[None, :]


@triton.jit
def _carry(state, ends, products, batch, segment, size, tile, in_tile):
    """The state on the other side of a segment."""
    offset = (batch * size[4] + segment) * size[1] * size[2] + tile
    product = tl.load(products + offset, mask=in_tile, other=0.0)
    return product * state + tl.load(ends + offset, mask=in_tile, other=0.0)


@triton.jit
def _kept(batch, block, size, STEPS: tl.constexpr):
    """Where the states before a block are kept, in (batch, blocks, channels, states)."""
    blocks = (size[0] + STEPS - 1) // STEPS
    return (batch * blocks + block // STEPS) * size[1] * size[2]
