"""Sixteen, eight or four float32 in one value, for numba kernels whose accumulators must stay in registers.

Left to itself LLVM vectorizes the innermost loop only, and keeps what it sums up in memory. A value made here is an
LLVM vector: a local variable of a kernel becomes one register (sixteen lanes: AVX-512), or two or four of a smaller
machine. The functions can be called inside ``@njit`` alone; indices count elements of flat arrays, nothing is checked.

numba's cache on disk looks at a kernel's own file: after a change here, touch the files of those that call it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16

_FLOAT = ir.FloatType()
_INT = ir.IntType(32)
_SMALLEST_EXPONENT = -126.0
_MANTISSA_BITS = 23


class Vector(types.Type):
    """Numba's type of such a value."""

    def __init__(self, lanes: int) -> None:
        super().__init__(name=f"float32x{lanes}")
        self.lanes = lanes


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(_FLOAT, fe_type.lanes))


def _exp2_polynomial(degree: int = 5) -> list[float]:
    """2**x on [0, 1] to 2e-7 of its value: least squares of the relative error at Chebyshev points."""
    x = (np.cos(np.pi * (np.arange(200) + 0.5) / 200) + 1) / 2
    return np.polynomial.polynomial.polyfit(x, 2**x, degree, w=2**-x).tolist()


_EXP2 = _exp2_polynomial()


def _operation(build: Callable[..., Any], num_arguments: int) -> Any:
    """A function of vectors of one length that gives such a vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return build(builder, *arguments)

    if num_arguments == 1:
        return intrinsic(lambda typing, a: (a(a), generate))
    if num_arguments == 2:
        return intrinsic(lambda typing, a, b: (a(a, a), generate))
    return intrinsic(lambda typing, a, b, c: (a(a, a, a), generate))


def _call(builder: Any, name: str, *arguments: Any, result: Any = None) -> Any:
    kind = arguments[0].type
    function = ir.FunctionType(result or kind, [argument.type for argument in arguments])
    name = f"llvm.{name}.v{kind.count}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), arguments)


def _ints(vector: Any) -> Any:
    return ir.VectorType(_INT, vector.type.count)


def _exp(builder: Any, x: Any) -> Any:
    def constant(value: float) -> Any:
        return ir.Constant(x.type, [value] * x.type.count)

    scaled = _call(builder, "maxnum", builder.fmul(x, constant(math.log2(math.e))), constant(_SMALLEST_EXPONENT))
    whole = _call(builder, "floor", scaled)
    fraction = builder.fsub(scaled, whole)
    power = constant(_EXP2[-1])
    for coefficient in _EXP2[-2::-1]:
        power = _call(builder, "fmuladd", power, fraction, constant(coefficient))
    ints = _ints(x)
    exponent = builder.shl(builder.fptosi(whole, ints), ir.Constant(ints, [_MANTISSA_BITS] * ints.count))
    return builder.bitcast(builder.add(builder.bitcast(power, ints), exponent), x.type)


def _loader(lanes: int) -> Any:
    def load(typing: Any, array: Any, index: Any) -> Any:
        def generate(context, builder, signature, arguments):
            kind = ir.VectorType(_FLOAT, lanes)
            return builder.load(_pointer(context, builder, signature, arguments, kind), align=4)

        return Vector(lanes)(array, types.intp), generate

    return intrinsic(load)


def _store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    def generate(context, builder, signature, arguments):
        vector = arguments[2]
        builder.store(vector, _pointer(context, builder, signature, arguments, vector.type), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


def _store_pairs(typing: Any, array: Any, index: Any, first: Any, second: Any) -> Any:
    def generate(context, builder, signature, arguments):
        one, other = arguments[2:]
        order = [lane for pair in enumerate(range(one.type.count, 2 * one.type.count)) for lane in pair]
        pairs = builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(_INT, len(order)), order))
        builder.store(pairs, _pointer(context, builder, signature, arguments, pairs.type), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, first, first), generate


def _splatter(lanes: int) -> Any:
    def splat(typing: Any, number: Any) -> Any:
        def generate(context, builder, signature, arguments):
            undefined = ir.Constant(ir.VectorType(_FLOAT, lanes), ir.Undefined)
            first = builder.insert_element(undefined, arguments[0], ir.Constant(_INT, 0))
            return builder.shuffle_vector(first, undefined, ir.Constant(_ints(first), [0] * lanes))

        return Vector(lanes)(types.float32), generate

    return intrinsic(splat)


def _largest(typing: Any, vector: Any) -> Any:
    def generate(context, builder, signature, arguments):
        return _call(builder, "vector.reduce.fmax", arguments[0], result=_FLOAT)

    return types.float32(vector), generate


def _total(typing: Any, vector: Any) -> Any:
    def generate(context, builder, signature, arguments):
        value, lanes = arguments[0], arguments[0].type.count
        while lanes > 1:
            lanes //= 2
            value = builder.fadd(*(_some(builder, value, which) for which in (range(lanes), range(lanes, 2 * lanes))))
        return builder.extract_element(value, ir.Constant(_INT, 0))

    return types.float32(vector), generate


def _lane(typing: Any, vector: Any, index: Any) -> Any:
    def generate(context, builder, signature, arguments):
        return builder.extract_element(*arguments)

    return types.float32(vector, index), generate


def _some(builder: Any, vector: Any, which: Sequence[int]) -> Any:
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_INT, len(which)), [*which]))


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any, kind: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), kind.as_pointer())


add = _operation(lambda builder, a, b: builder.fadd(a, b), 2)
subtract = _operation(lambda builder, a, b: builder.fsub(a, b), 2)
multiply = _operation(lambda builder, a, b: builder.fmul(a, b), 2)
divide = _operation(lambda builder, a, b: builder.fdiv(a, b), 2)
absolute = _operation(lambda builder, a: _call(builder, "fabs", a), 1)
maximum = _operation(lambda builder, a, b: _call(builder, "maxnum", a, b), 2)
multiply_add = _operation(lambda builder, a, b, c: _call(builder, "fmuladd", a, b, c), 3)
"""a * b + c"""
exp = _operation(_exp, 1)
"""Of numbers up to 88; to 2e-7 of the value, and never under 1e-38."""
load, load8, load4 = _loader(LANES), _loader(8), _loader(4)
"""``load(array, index)``: ``array[index : index + LANES]``."""
store: Any = intrinsic(_store)
"""``store(array, index, vector)``: ``array[index : index + lanes] = vector``."""
store_pairs: Any = intrinsic(_store_pairs)
"""``store_pairs(array, index, first, second)``: their lanes in turn, twice as many elements."""
splat, splat8, splat4 = _splatter(LANES), _splatter(8), _splatter(4)
"""``splat(number)``: it in every lane."""
largest: Any = intrinsic(_largest)
"""The largest of the lanes."""
total: Any = intrinsic(_total)
"""The sum of the lanes, in pairs."""
lane: Any = intrinsic(_lane)
"""``lane(vector, index)``: one of them."""
