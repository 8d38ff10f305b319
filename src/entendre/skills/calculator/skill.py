"""Arithmetic and unit conversions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from entendre.core.plan import Plan
from entendre.language.plurals import plural_index
from entendre.skills.base import Request
from entendre.skills.calculator.arithmetic import (
    ArithmeticRefused,
    evaluate,
    exact,
    factorial,
    for_speech,
    power,
    root,
)
from entendre.skills.calculator.units import convert
from entendre.skills.slots import number, text

_HUNDRED = 100
_SQUARE_ROOT = 2


class CalculatorSkill:
    """Answers sums and conversions."""

    name = "calculator"
    intents = frozenset({"Calculate", "CalculatePercent", "CalculatePower", "CalculateRoot", "Factorial", "Convert"})

    async def plan(self, request: Request) -> Plan:
        """The result, or why there is none."""
        if request.command.intent == "Convert":
            return _convert(request)
        try:
            result = _CALCULATIONS[request.command.intent](request)
        except ArithmeticRefused as refused:
            return Plan(request.say(refused.reason), refusal=True)
        key = "calculation_percent" if text(request, "change") == "ratio" else "calculation"
        return Plan(request.say(key, result=for_speech(result)))


def _number(request: Request, name: str) -> Fraction:
    return exact(number(request, name) or 0)


def _calculate(request: Request) -> Fraction:
    """`a` with as many of `operator b`, `operator2 c`, `operator3 d` as were said."""
    numbers = [_number(request, "a")]
    operators = []
    for operator, value in (("operator", "b"), ("operator2", "c"), ("operator3", "d")):
        sign = text(request, operator)
        if sign is not None:
            operators.append(sign)
            numbers.append(_number(request, value))
    return evaluate(numbers, operators)


def _percent(request: Request) -> Fraction:
    share, whole = _number(request, "share") / _HUNDRED, _number(request, "whole")
    match text(request, "change"):
        case "off":
            return whole - whole * share
        case "added":
            return whole + whole * share
        case "ratio":
            return evaluate([_number(request, "part") * _HUNDRED, whole], ["/"])
        case _:
            return whole * share


def _power(request: Request) -> Fraction:
    return power(_number(request, "a"), _number(request, "exponent"))


def _root(request: Request) -> Fraction:
    return root(_number(request, "a"), int(number(request, "degree") or _SQUARE_ROOT))


def _factorial(request: Request) -> Fraction:
    return factorial(_number(request, "a"))


_CALCULATIONS: dict[str, Callable[[Request], Fraction]] = {
    "Calculate": _calculate,
    "CalculatePercent": _percent,
    "CalculatePower": _power,
    "CalculateRoot": _root,
    "Factorial": _factorial,
}


def _convert(request: Request) -> Plan:
    source, target = text(request, "from") or "", text(request, "to") or ""
    given = number(request, "number")
    value = exact(1 if given is None else given)
    extra, extra_unit = number(request, "extra"), text(request, "extra_unit") or source
    if extra is not None:
        added = convert(exact(extra), extra_unit, source)
        value += added[0] if added else 0
    converted = convert(value, source, target)
    if converted is None:
        names = {"from": _unit(request, source, 2), "to": _unit(request, target, 2)}
        return Plan(request.say("conversion_impossible", **names), refusal=True)
    result, source, target = converted
    spoken, spoken_result = for_speech(value), for_speech(result)
    return Plan(
        request.say(
            "conversion",
            value=spoken,
            count=abs(spoken),
            result=spoken_result,
            **{"from": _unit(request, source, spoken), "to": _unit(request, target, spoken_result)},
        )
    )


def _unit(request: Request, unit: str, count: float) -> str:
    forms = request.terms("unit").get(unit, unit).split("|")
    return forms[min(plural_index(request.language, count), len(forms) - 1)]


SKILL = CalculatorSkill()
