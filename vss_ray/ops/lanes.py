"""Vectors of which some lanes count, and comparisons of many values as the bits of one integer; see ``vectors``.

The functions can be called inside ``@njit`` alone; indices count elements of contiguous arrays, nothing is checked.

numba's cache on disk looks at a kernel's own file: after a change here, touch the files of those that call it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vss_ray.ops.vectors import LANES, Vector

_WORD = ir.IntType(64)
_INT = ir.IntType(32)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(_INT, LANES)
_FLAGS = ir.VectorType(ir.IntType(1), LANES)


def _load_some(typing: Any, array: Any, index: Any, count: Any, otherwise: Any) -> Any:
    def generate(context, builder, signature, arguments):
        values, index, count, otherwise = arguments
        name = f"llvm.masked.load.v{LANES}f32.p0"
        pointer = _pointer(context, builder, signature.args[0], values, index, _FLOATS)
        kind = ir.FunctionType(_FLOATS, [pointer.type, _INT, _FLAGS, _FLOATS])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, [pointer, _INT(4), _first(builder, count), _splat(builder, otherwise)])

    return Vector(LANES)(array, types.intp, types.int32, types.float32), generate


def _store_some(typing: Any, array: Any, index: Any, count: Any, vector: Any) -> Any:
    def generate(context, builder, signature, arguments):
        values, index, count, vector = arguments
        element = context.get_data_type(array.dtype)
        kind, name = ir.VectorType(element, LANES), "f32"
        if array.dtype != types.float32:
            vector, name = builder.fptoui(vector, kind), f"i{element.width}"
        pointer = _pointer(context, builder, signature.args[0], values, index, kind)
        function = ir.FunctionType(ir.VoidType(), [kind, pointer.type, _INT, _FLAGS])
        function = cgutils.get_or_insert_function(builder.module, function, f"llvm.masked.store.v{LANES}{name}.p0")
        builder.call(function, [vector, pointer, _INT(1), _first(builder, count)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int32, vector), generate


def _first(builder: Any, count: Any) -> Any:
    """Flags of the first ``count`` lanes."""
    return builder.icmp_signed("<", ir.Constant(_INTS, [*range(LANES)]), _splat(builder, count))


def _splat(builder: Any, number: Any) -> Any:
    undefined = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    first = builder.insert_element(undefined, number, _INT(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_INTS, [0] * LANES))


def _comparison(operator: str) -> Any:
    """A function of two vectors: bit i of the result tells of lane i."""

    def compare(typing: Any, a: Any, b: Any) -> Any:
        def generate(context, builder, signature, arguments):
            lanes = builder.fcmp_ordered(operator, *arguments)
            return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), _WORD)

        return types.uint64(a, b), generate

    return intrinsic(compare)


def _chooser(operator: str) -> Any:
    """The larger or the smaller of two vectors: one instruction, where LLVM's own functions mind NaN and take three."""

    def choose(typing: Any, a: Any, b: Any) -> Any:
        def generate(context, builder, signature, arguments):
            return builder.select(builder.fcmp_ordered(operator, *arguments), *arguments)

        return a(a, b), generate

    return intrinsic(choose)


def _largest(typing: Any, vector: Any) -> Any:
    def generate(context, builder, signature, arguments):
        (value,), lanes = arguments, LANES
        while lanes > 1:
            lanes //= 2
            low, high = (
                builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(_INT, lanes), [*which]))
                for which in (range(lanes), range(lanes, 2 * lanes))
            )
            value = builder.select(builder.fcmp_ordered(">", low, high), low, high)
        return builder.extract_element(value, _INT(0))

    return types.float32(vector), generate


def _where_greater(typing: Any, a: Any, b: Any, one: Any, other: Any) -> Any:
    def generate(context, builder, signature, arguments):
        return builder.select(builder.fcmp_ordered(">", *arguments[:2]), *arguments[2:])

    return one(a, b, one, other), generate


def _lowest(typing: Any, bits: Any) -> Any:
    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.intp(types.uint64), generate


def _word(typing: Any, array: Any, index: Any) -> Any:
    def generate(context, builder, signature, arguments):
        values, index = arguments
        return builder.load(_pointer(context, builder, signature.args[0], values, index, _WORD), align=1)

    return types.uint64(array, types.intp), generate


def _pointer(context: Any, builder: Any, kind: Any, values: Any, index: Any, pointee: Any) -> Any:
    array = context.make_array(kind)(context, builder, values)
    return builder.bitcast(builder.gep(array.data, [index]), pointee.as_pointer())


load_some: Any = intrinsic(_load_some)
"""``load_some(array, index, count, otherwise)``: ``array[index : index + count]``, ``otherwise`` in lanes past that.

Nothing past ``count`` is touched; more than all lanes are all lanes.
"""
store_some: Any = intrinsic(_store_some)
"""``store_some(array, index, count, vector)``: ``array[index : index + count] = vector[:count]``, as integers too."""
smaller, larger = _chooser("<"), _chooser(">")
"""Of two vectors, lane by lane; the second one's where either is NaN."""
largest: Any = intrinsic(_largest)
"""The largest of the lanes, none of which is NaN."""
where_greater: Any = intrinsic(_where_greater)
"""``where_greater(a, b, one, other)``: lanes of ``one`` where a > b, of ``other`` elsewhere."""
equal = _comparison("==")
at_least = _comparison(">=")
"""Of two vectors, lane by lane; false where one is NaN."""
unlike_itself = _comparison("uno")
"""``unlike_itself(a, a)``: lanes that are NaN."""
lowest: Any = intrinsic(_lowest)
"""Number of the lowest bit that is set."""
word: Any = intrinsic(_word)
"""``word(array, index)``: 8 bytes from element ``index`` on, the first one lowest."""
