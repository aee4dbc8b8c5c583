"""Sixteen float32 in one value, for numba kernels whose accumulators must stay in registers.

Left to itself LLVM vectorizes the innermost loop only, and keeps what it sums up in memory. A value of type ``VECTOR``
is an LLVM vector: a local variable of a kernel becomes one AVX-512 register, or two or four of a smaller machine. The
functions here can be called inside ``@njit`` alone; indices count elements of flat float32 arrays, nothing is checked.

numba's cache on disk looks at a kernel's own file: after a change here, touch the files of those that call it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16

_FLOAT = ir.FloatType()
_FLOATS = ir.VectorType(_FLOAT, LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)
_SMALLEST_EXPONENT = -126.0
_MANTISSA_BITS = 23


class Vector(types.Type):
    """Numba's type of such a value."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


VECTOR = Vector()


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _FLOATS)


def _exp2_polynomial(degree: int = 5) -> list[float]:
    """2**x on [0, 1] to 2e-7 of its value: least squares of the relative error at Chebyshev points."""
    x = (np.cos(np.pi * (np.arange(200) + 0.5) / 200) + 1) / 2
    return np.polynomial.polynomial.polyfit(x, 2**x, degree, w=2**-x).tolist()


_EXP2 = _exp2_polynomial()


def _operation(build: Callable[..., Any], num_arguments: int) -> Any:
    """A function of vectors that gives a vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return build(builder, *arguments)

    if num_arguments == 1:
        return intrinsic(lambda typing, a: (VECTOR(VECTOR), generate))
    if num_arguments == 2:
        return intrinsic(lambda typing, a, b: (VECTOR(VECTOR, VECTOR), generate))
    return intrinsic(lambda typing, a, b, c: (VECTOR(VECTOR, VECTOR, VECTOR), generate))


def _call(builder: Any, name: str, *arguments: Any, result: Any = _FLOATS) -> Any:
    function = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}.v{LANES}f32"), arguments)


def _constant(value: float) -> Any:
    return ir.Constant(_FLOATS, [value] * LANES)


def _exp(builder: Any, x: Any) -> Any:
    scaled = _call(builder, "maxnum", builder.fmul(x, _constant(math.log2(math.e))), _constant(_SMALLEST_EXPONENT))
    whole = _call(builder, "floor", scaled)
    fraction = builder.fsub(scaled, whole)
    power = _constant(_EXP2[-1])
    for coefficient in _EXP2[-2::-1]:
        power = _call(builder, "fmuladd", power, fraction, _constant(coefficient))
    exponent = builder.shl(builder.fptosi(whole, _INTS), ir.Constant(_INTS, [_MANTISSA_BITS] * LANES))
    return builder.bitcast(builder.add(builder.bitcast(power, _INTS), exponent), _FLOATS)


def _load(typing: Any, array: Any, index: Any) -> Any:
    def generate(context, builder, signature, arguments):
        return builder.load(_pointer(context, builder, signature, arguments), align=4)

    return VECTOR(array, types.intp), generate


def _store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    def generate(context, builder, signature, arguments):
        builder.store(arguments[2], _pointer(context, builder, signature, arguments), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, VECTOR), generate


def _splat(typing: Any, number: Any) -> Any:
    def generate(context, builder, signature, arguments):
        undefined = ir.Constant(_FLOATS, ir.Undefined)
        first = builder.insert_element(undefined, arguments[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, undefined, ir.Constant(_INTS, [0] * LANES))

    return VECTOR(types.float32), generate


def _largest(typing: Any, vector: Any) -> Any:
    def generate(context, builder, signature, arguments):
        return _call(builder, "vector.reduce.fmax", arguments[0], result=_FLOAT)

    return types.float32(VECTOR), generate


def _total(typing: Any, vector: Any) -> Any:
    def generate(context, builder, signature, arguments):
        value, lanes = arguments[0], LANES
        while lanes > 1:
            lanes //= 2
            halves = [
                builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [*which]))
                for which in (range(lanes), range(lanes, 2 * lanes))
            ]
            value = builder.fadd(*halves)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return types.float32(VECTOR), generate


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), _FLOATS.as_pointer())


add = _operation(lambda builder, a, b: builder.fadd(a, b), 2)
subtract = _operation(lambda builder, a, b: builder.fsub(a, b), 2)
multiply = _operation(lambda builder, a, b: builder.fmul(a, b), 2)
maximum = _operation(lambda builder, a, b: _call(builder, "maxnum", a, b), 2)
multiply_add = _operation(lambda builder, a, b, c: _call(builder, "fmuladd", a, b, c), 3)
"""a * b + c"""
exp = _operation(_exp, 1)
"""Of numbers up to 88; to 2e-7 of the value, and never under 1e-38."""
load: Any = intrinsic(_load)
"""``load(array, index)``: ``array[index : index + LANES]``."""
store: Any = intrinsic(_store)
"""``store(array, index, vector)``: ``array[index : index + LANES] = vector``."""
splat: Any = intrinsic(_splat)
"""``splat(number)``: it in every lane."""
largest: Any = intrinsic(_largest)
"""The largest of the lanes."""
total: Any = intrinsic(_total)
"""The sum of the lanes, in pairs."""
