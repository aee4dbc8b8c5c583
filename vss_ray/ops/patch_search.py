"""The inner loops of dense inverse search: patches look for their place, and pixels average the patches over them.

Pictures are flat float32 with a border of ``BORDER`` pixels on all sides that continues them, rows of ``width + 2 *
BORDER``. A patch is eight rows of eight lanes; a comparison with its place in the other picture, or a step of descent,
takes some 40 cycles of an AMD EPYC. The search of 2,170 patches at 312x176 takes 0.2 to 0.3 ms; LLVM, given the same
loops over pixels, made 1.8 to 2.2 of it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from vss_ray.ops.vectors import (
    absolute,
    add,
    divide,
    load8,
    maximum,
    multiply,
    multiply_add,
    splat8,
    store,
    store_pairs,
    subtract,
    total,
)

PATCH = 8
BORDER = 2 * PATCH
"""Pixels by which pictures are continued: a patch may leave them by its own length."""
NEAR = np.float32(0.1**2)
"""A neighbor's displacement within a tenth of a pixel of the own is not tried, and a step under it is the last."""

# Helpers are merged into the compiled functions by LLVM (``forceinline``); numba's own ``inline`` took 4.8 s to compile
# the search instead of 1.7. Nothing is fastmath: a helper rounds the same wherever it ends up, cached or not.


@njit(nogil=True, forceinline=True)
def _place(y, x, u, v, size):  # pragma: no cover
    """Where the corner of the patch at (y, x) falls under (u, v): element, and the bilinear weights right and below."""
    height, width = size
    # In this order what is no number becomes the bound: nothing outside the border is ever read.
    column = min(max(np.float32(-PATCH), np.float32(x) + u), np.float32(width)) + np.float32(BORDER)
    row = min(max(np.float32(-PATCH), np.float32(y) + v), np.float32(height)) + np.float32(BORDER)
    left, top = np.int32(column), np.int32(row)
    place = np.int64(top) * (width + 2 * BORDER) + np.int64(left)
    return place, splat8(column - np.float32(left)), splat8(row - np.float32(top))


@njit(nogil=True, forceinline=True)
def _between(picture, at, right):  # pragma: no cover
    """Eight values between pixels of one row."""
    left = load8(picture, at)
    return multiply_add(right, subtract(load8(picture, at + 1), left), left)


@njit(nogil=True, forceinline=True)
def _misfit(here, corner, there, y, x, u, v, size):  # pragma: no cover
    """Sum of squared differences of a patch and its place under (u, v)."""
    stride = size[1] + 2 * BORDER
    place, right, below = _place(y, x, u, v, size)
    upper = _between(there, place, right)
    even = odd = splat8(np.float32(0))  # two sums: each waits for its last term
    for r in range(0, PATCH, 2):
        at = place + r * stride
        lower = _between(there, at + stride, right)
        residual = subtract(multiply_add(below, subtract(lower, upper), upper), load8(here, corner + r * stride))
        even = multiply_add(residual, residual, even)
        upper = _between(there, at + 2 * stride, right)
        residual = subtract(multiply_add(below, subtract(upper, lower), lower), load8(here, corner + (r + 1) * stride))
        odd = multiply_add(residual, residual, odd)
    return total(add(even, odd))


@njit(nogil=True, forceinline=True)
def _gradient(picture, at, stride):  # pragma: no cover
    """Twice the gradient, across and down, of eight pixels."""
    across = subtract(load8(picture, at + 1), load8(picture, at - 1))
    return across, subtract(load8(picture, at + stride), load8(picture, at - stride))


@njit(nogil=True, forceinline=True)
def _step(here, corner, there, y, x, u, v, steepness, size):  # pragma: no cover
    """One step of Gauss-Newton from (u, v): what to take away from it."""
    stride = size[1] + 2 * BORDER
    place, right, below = _place(y, x, u, v, size)
    upper = _between(there, place, right)
    across_even = across_odd = down_even = down_odd = splat8(np.float32(0))
    for r in range(0, PATCH, 2):
        at, pixel = place + r * stride, corner + r * stride
        lower = _between(there, at + stride, right)
        residual = subtract(multiply_add(below, subtract(lower, upper), upper), load8(here, pixel))
        across, down = _gradient(here, pixel, stride)
        across_even = multiply_add(residual, across, across_even)
        down_even = multiply_add(residual, down, down_even)
        upper = _between(there, at + 2 * stride, right)
        residual = subtract(multiply_add(below, subtract(upper, lower), lower), load8(here, pixel + stride))
        across, down = _gradient(here, pixel + stride, stride)
        across_odd = multiply_add(residual, across, across_odd)
        down_odd = multiply_add(residual, down, down_odd)
    across, down = total(add(across_even, across_odd)), total(add(down_even, down_odd))
    return steepness[0] * across - steepness[1] * down, steepness[2] * down - steepness[1] * across


@njit(nogil=True, forceinline=True)
def _is_better(here, corner, there, y, x, u, v, error, new_u, new_v, size):  # pragma: no cover
    """Whether a descent from (u, v) ended near by and lower, and how low."""
    new_error = _misfit(here, corner, there, y, x, new_u, new_v, size)
    return ((new_u - u) ** 2 + (new_v - v) ** 2 <= np.float32(PATCH * PATCH)) & (new_error < error), new_error


@njit(nogil=True, forceinline=True)
def _guess(coarse, y, x, size):  # pragma: no cover
    """What the coarser scale says of a patch's middle, in pixels of this one."""
    height, width = np.float32(size[0]), np.float32(size[1])
    coarse_height, coarse_width = coarse.shape[0], coarse.shape[1]
    ratio_y, ratio_x = np.float32(coarse_height) / height, np.float32(coarse_width) / width
    half = np.float32(0.5)
    middle = np.float32(PATCH // 2) + half
    row = min(max((np.float32(y) + middle) * ratio_y - half, np.float32(0)), np.float32(coarse_height - 1))
    column = min(max((np.float32(x) + middle) * ratio_x - half, np.float32(0)), np.float32(coarse_width - 1))
    top, left = int(row), int(column)
    below, right = np.float32(row - np.float32(top)), np.float32(column - np.float32(left))
    bottom, far = min(top + 1, coarse_height - 1), min(left + 1, coarse_width - 1)
    one = np.float32(1)
    a, b, c, d = (one - below) * (one - right), (one - below) * right, below * (one - right), below * right
    u = a * coarse[top, left, 0] + b * coarse[top, far, 0] + c * coarse[bottom, left, 0] + d * coarse[bottom, far, 0]
    v = a * coarse[top, left, 1] + b * coarse[top, far, 1] + c * coarse[bottom, left, 1] + d * coarse[bottom, far, 1]
    return u / ratio_x, v / ratio_y


@njit(nogil=True, forceinline=True)
def _is_apart(u, v, other_u, other_v):  # pragma: no cover
    return (other_u - u) ** 2 + (other_v - v) ** 2 > NEAR


@njit(nogil=True, forceinline=True)
def _start(here, corner, there, y, x, i, j, coarse, patches, size):  # pragma: no cover
    """The best of the coarser scale, the patch to the left and the one above: displacement and error.

    All three are compared, and chosen without a branch: the processor does them together, and a guess of its own that
    fails costs as much as a comparison.
    """
    u, v = _guess(coarse, y, x, size)
    left_u, left_v = patches[i, max(j - 1, 0), 0], patches[i, max(j - 1, 0), 1]
    above_u, above_v = patches[max(i - 1, 0), j, 0], patches[max(i - 1, 0), j, 1]
    left_u, left_v = left_u if j > 0 else u, left_v if j > 0 else v
    above_u, above_v = above_u if i > 0 else u, above_v if i > 0 else v
    error = _misfit(here, corner, there, y, x, u, v, size)
    left_error = _misfit(here, corner, there, y, x, left_u, left_v, size)
    above_error = _misfit(here, corner, there, y, x, above_u, above_v, size)
    is_better = (left_error < error) & _is_apart(u, v, left_u, left_v)
    u, v = left_u if is_better else u, left_v if is_better else v
    error = left_error if is_better else error
    is_better = (above_error < error) & _is_apart(u, v, above_u, above_v)
    return above_u if is_better else u, above_v if is_better else v, above_error if is_better else error


@njit(cache=True, nogil=True)
def measure_steepness(picture, size, rows, columns, steepness):  # pragma: no cover
    """What turns a patch's sums of residual times gradient into a step: its inverse Hessian.

    Args:
        picture: Flat, with its border.
        size: (height, width) without it.
        rows: First row of every row of patches.
        columns: First column of every column.
        steepness: (rows, columns, 3) float32, written: of (across, across), (across, down), (down, down).
    """
    stride = size[1] + 2 * BORDER
    quarter, half, least = np.float32(0.25), np.float32(0.5), np.float32(1e-3)
    for i in range(len(rows)):
        for j in range(len(columns)):
            corner = (rows[i] + BORDER) * stride + columns[j] + BORDER
            xx = xy = yy = splat8(np.float32(0))
            for r in range(PATCH):
                across, down = _gradient(picture, corner + r * stride, stride)
                xx, xy = multiply_add(across, across, xx), multiply_add(across, down, xy)
                yy = multiply_add(down, down, yy)
            a, b, c = quarter * total(xx) + least, quarter * total(xy), quarter * total(yy) + least
            # On an edge the two products are alike and their difference is rounding: it cannot be less than this.
            scale = half / max(a * c - b * b, least * (a + c))
            steepness[i, j, 0], steepness[i, j, 1], steepness[i, j, 2] = scale * c, scale * b, scale * a


@njit(cache=True, nogil=True)
def search(here, there, size, steepness, coarse, rows, columns, iterations, patches, errors):  # pragma: no cover
    """A place in the other picture for every patch: forward from the coarser scale, then backward.

    Args:
        here: The picture, flat, with its border.
        there: The other one.
        size: (height, width) without it.
        steepness: Of the patches of ``here``.
        coarse: (h, w, 2) float32 first guess, on any grid.
        rows: First row of every row of patches.
        columns: First column of every column.
        iterations: Gauss-Newton steps per patch and sweep, at most.
        patches: (rows, columns, 2) float32, written: displacement (right, down).
        errors: (rows, columns) float32, written: sum of squared differences.
    """
    num_rows, num_columns = len(rows), len(columns)
    stride = size[1] + 2 * BORDER
    # Two rows of patches go together, the lower one patch behind: the processor does one while the other waits for its
    # sums. Where either row has no patch, both do the same one.
    for i in range(0, num_rows, 2):
        has_lower = i + 1 < num_rows
        for j in range(num_columns + has_lower):
            i0, j0 = (i, j) if j < num_columns else (i + 1, j - 1)
            i1, j1 = (i + 1, j - 1) if has_lower and j > 0 else (i0, j0)
            y0, x0, y1, x1 = rows[i0], columns[j0], rows[i1], columns[j1]
            corner0 = (y0 + BORDER) * stride + x0 + BORDER
            corner1 = (y1 + BORDER) * stride + x1 + BORDER
            u0, v0, error0 = _start(here, corner0, there, y0, x0, i0, j0, coarse, patches, size)
            u1, v1, error1 = _start(here, corner1, there, y1, x1, i1, j1, coarse, patches, size)
            steep0 = (steepness[i0, j0, 0], steepness[i0, j0, 1], steepness[i0, j0, 2])
            steep1 = (steepness[i1, j1, 0], steepness[i1, j1, 1], steepness[i1, j1, 2])
            a0, b0, a1, b1 = u0, v0, u1, v1
            goes0 = goes1 = True
            for _ in range(iterations):
                du0, dv0 = _step(here, corner0, there, y0, x0, a0, b0, steep0, size)
                du1, dv1 = _step(here, corner1, there, y1, x1, a1, b1, steep1, size)
                a0, b0 = a0 - du0 if goes0 else a0, b0 - dv0 if goes0 else b0
                a1, b1 = a1 - du1 if goes1 else a1, b1 - dv1 if goes1 else b1
                goes0, goes1 = goes0 & (du0 * du0 + dv0 * dv0 >= NEAR), goes1 & (du1 * du1 + dv1 * dv1 >= NEAR)
                if not (goes0 | goes1):
                    break
            better0, new_error0 = _is_better(here, corner0, there, y0, x0, u0, v0, error0, a0, b0, size)
            better1, new_error1 = _is_better(here, corner1, there, y1, x1, u1, v1, error1, a1, b1, size)
            patches[i0, j0, 0], patches[i0, j0, 1] = a0 if better0 else u0, b0 if better0 else v0
            patches[i1, j1, 0], patches[i1, j1, 1] = a1 if better1 else u1, b1 if better1 else v1
            errors[i0, j0] = new_error0 if better0 else error0
            errors[i1, j1] = new_error1 if better1 else error1
    for i in range(num_rows - 1, -1, -1):
        for j in range(num_columns - 1, -1, -1):
            y, x = rows[i], columns[j]
            corner = (y + BORDER) * stride + x + BORDER
            u, v, error = patches[i, j, 0], patches[i, j, 1], errors[i, j]
            is_new = False
            for k in range(2):
                other_i, other_j = i + k, j + 1 - k
                if other_i == num_rows or other_j == num_columns:
                    continue
                other_u, other_v = patches[other_i, other_j, 0], patches[other_i, other_j, 1]
                if _is_apart(u, v, other_u, other_v):
                    other_error = _misfit(here, corner, there, y, x, other_u, other_v, size)
                    if other_error < error:
                        u, v, error, is_new = other_u, other_v, other_error, True
            if is_new:
                steep = (steepness[i, j, 0], steepness[i, j, 1], steepness[i, j, 2])
                a, b = u, v
                for _ in range(iterations):
                    du, dv = _step(here, corner, there, y, x, a, b, steep, size)
                    a, b = a - du, b - dv
                    if not du * du + dv * dv >= NEAR:  # so that what is no number ends it too
                        break
                better, new_error = _is_better(here, corner, there, y, x, u, v, error, a, b, size)
                if better:
                    u, v, error = a, b, new_error
                patches[i, j, 0], patches[i, j, 1], errors[i, j] = u, v, error


@njit(cache=True, nogil=True)
def densify(here, there, size, rows, columns, patches, dense):  # pragma: no cover
    """Every pixel's displacement: the mean of the patches over it, weighted by how well each fits it there.

    Args:
        here: The picture, flat, with its border.
        there: The other one.
        size: (height, width) without it.
        rows: First row of every row of patches; they cover the picture.
        columns: First column of every column.
        patches: (rows, columns, 2) their displacements.
        dense: (height * width * 2,) float32, written: (right, down) of every pixel.
    """
    height, width = size
    stride = width + 2 * BORDER
    ones = splat8(np.float32(1))
    # Sums of weights, of u and of v: of the eight rows that a row of patches covers, whatever is above being done.
    band = np.zeros(PATCH * 3 * width, np.float32)
    for i in range(len(rows)):
        y = rows[i]
        for j in range(len(columns)):
            x = columns[j]
            place, right, below = _place(y, x, patches[i, j, 0], patches[i, j, 1], size)
            across, down = splat8(patches[i, j, 0]), splat8(patches[i, j, 1])
            corner = (y + BORDER) * stride + x + BORDER
            upper = _between(there, place, right)
            for r in range(PATCH):
                lower = _between(there, place + (r + 1) * stride, right)
                value = multiply_add(below, subtract(lower, upper), upper)
                residual = subtract(value, load8(here, corner + r * stride))
                weight = divide(ones, maximum(ones, absolute(residual)))
                at = (y + r) % PATCH * 3 * width + x
                store(band, at, add(load8(band, at), weight))
                at += width
                store(band, at, multiply_add(weight, across, load8(band, at)))
                at += width
                store(band, at, multiply_add(weight, down, load8(band, at)))
                upper = lower
        for row in range(y, rows[i + 1] if i + 1 < len(rows) else height):
            at = row % PATCH * 3 * width
            for begin in range(0, width, PATCH):
                x = min(begin, width - PATCH)
                share = divide(ones, load8(band, at + x))
                u, v = load8(band, at + width + x), load8(band, at + 2 * width + x)
                store_pairs(dense, 2 * (row * width + x), multiply(share, u), multiply(share, v))
            band[at : at + 3 * width] = np.float32(0)
