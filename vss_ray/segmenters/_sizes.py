"""The expressions of sizes in an exported graph: torch hands them to ``eval``, so only arithmetic may be in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

NAME = re.compile(r"\w{1,64}")
# fmt: off
FUNCTIONS = frozenset({
    "Abs", "Add", "And", "CeilDiv", "CeilToInt", "CleanDiv", "Equality", "Float", "FloatPow", "FloatTrueDiv",
    "FloorDiv", "FloorToInt", "GreaterThan", "Identity", "IntTrueDiv", "Integer", "LessThan", "LShift", "Max",
    "Min", "Mod", "ModularIndexing", "Mul", "Not", "Or", "Piecewise", "Pow", "PowByNatural", "PythonMod",
    "Rational", "RoundToInt", "RShift", "StrictGreaterThan", "StrictLessThan", "Symbol", "ToFloat", "TruncToFloat",
    "TruncToInt", "Unequality", "Where",
})
# fmt: on
"""What ``sympy.srepr`` writes of sizes."""
SYNTAX = (ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant, ast.UnaryOp, ast.USub, ast.BinOp)
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Div, ast.Mod)


def expressions(graph: Any) -> Iterator[str]:
    """All expressions in the description of a graph."""
    level = [graph]
    while level:
        nodes, level = level, []
        for node in nodes:
            if isinstance(node, dict):
                yield from (str(value) for key, value in node.items() if key == "expr_str")
                level += node.values()
            elif isinstance(node, list):
                level += node


def only_counts(expression: str) -> bool:
    """Whether an expression is arithmetic on sizes, and nothing else."""
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(map(_is_plain, ast.walk(tree)))


def _is_plain(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name in FUNCTIONS
        case ast.Call():
            return False
        case ast.Constant(value=str(text)):
            return NAME.fullmatch(text) is not None and "__" not in text
        case ast.Constant(value=value):
            return isinstance(value, int | float)
        case ast.Name(id=name):
            return "__" not in name
        case _:
            return isinstance(node, SYNTAX + OPERATORS)
