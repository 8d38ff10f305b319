"""Exact arithmetic over spoken operators, with the usual precedence; nothing is evaluated as code."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

MAX_POWER = 1_000
MAX_RESULT = 10**15
"""Larger results are no use when spoken."""

SPOKEN_DECIMALS = 2
SMALL_DIGITS = 3
"""Significant digits of numbers below one."""


class ArithmeticRefused(ValueError):
    """There is no answer to speak; `reason` is the key of the reply that says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def exact(value: float) -> Fraction:
    """A spoken number without binary rounding: 0.1 is one tenth."""
    return Fraction(str(value))


def evaluate(numbers: Sequence[Fraction], operators: Sequence[str]) -> Fraction:
    """`numbers[0] operators[0] numbers[1] …` with powers before products before sums.

    Raises: ArithmeticRefused.
    """
    values, signs = list(numbers), list(operators)
    for group in (("^",), ("*", "/"), ("+", "-")):
        position = 0
        while position < len(signs):
            if signs[position] in group:
                values[position : position + 2] = [_OPERATIONS[signs[position]](values[position], values[position + 1])]
                del signs[position]
            else:
                position += 1
    return bounded(values[0])


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """`base` to the power of `exponent`. Raises: ArithmeticRefused."""
    if abs(exponent) > MAX_POWER or (exponent > 1 and float(abs(base)) ** min(float(exponent), 60.0) > MAX_RESULT):
        raise ArithmeticRefused("calculation_too_large")
    if base == 0 and exponent < 0:
        raise ArithmeticRefused("calculation_by_zero")
    if exponent.denominator == 1:
        return bounded(base ** int(exponent))
    if base < 0:
        raise ArithmeticRefused("calculation_no_root")
    return bounded(Fraction(float(base) ** float(exponent)))


def root(value: Fraction, degree: int) -> Fraction:
    """The real root of a degree, exact for perfect powers. Raises: ArithmeticRefused."""
    if degree < 1:
        raise ArithmeticRefused("calculation_no_root")
    if value < 0 and degree % 2 == 0:
        raise ArithmeticRefused("calculation_no_root")
    size = float(abs(value)) ** (1 / degree)
    nearest = Fraction(round(size))
    found = nearest if nearest**degree == abs(value) else Fraction(size)
    return found if value >= 0 else -found


def factorial(value: Fraction) -> Fraction:
    """Raises: ArithmeticRefused."""
    if value.denominator != 1 or value < 0:
        raise ArithmeticRefused("calculation_no_factorial")
    if value > 17:
        raise ArithmeticRefused("calculation_too_large")
    return Fraction(math.factorial(int(value)))


def bounded(value: Fraction) -> Fraction:
    """The value itself. Raises: ArithmeticRefused when it is too large to speak."""
    if abs(value) > MAX_RESULT:
        raise ArithmeticRefused("calculation_too_large")
    return value


def for_speech(value: Fraction) -> int | float:
    """A result as people want to hear it: whole numbers whole, others with two decimals, small ones three digits."""
    if value.denominator == 1:
        return int(value)
    exact_value = float(value)
    if exact_value == 0:
        return 0
    digits = SPOKEN_DECIMALS
    if abs(exact_value) < 1:
        digits = SMALL_DIGITS - 1 - math.floor(math.log10(abs(exact_value)))
    rounded = round(exact_value, digits)
    return int(rounded) if rounded == int(rounded) else rounded


def _divide(dividend: Fraction, divisor: Fraction) -> Fraction:
    if divisor == 0:
        raise ArithmeticRefused("calculation_by_zero")
    return dividend / divisor


_OPERATIONS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "^": power,
}
