"""Units of measurement: what each measures, and how many base units it is. Customary units are those of the US.

Source: NIST Special Publication 811, appendix B; exact where the definition is. Chinese market units are those of the
decree of 1959 (a liang is a tenth of a jin), Thai ones those of the Weights and Measures Act of 1923; catty and tael
are those of Singapore's and Malaysia's Weights and Measures Acts, the arroba is Brazil's for cattle.
"""

from __future__ import annotations

from fractions import Fraction

_DECIMAL = {
    "length": {
        "millimeter": "0.001",
        "centimeter": "0.01",
        "meter": "1",
        "kilometer": "1000",
        "inch": "0.0254",
        "foot": "0.3048",
        "yard": "0.9144",
        "mile": "1609.344",
        "cun": "0.0333333333333333333333",
        "chi": "0.3333333333333333333333",
        "zhang": "3.333333333333333333333",
        "li": "500",
        "wah": "2",
    },
    "mass": {
        "milligram": "0.001",
        "gram": "1",
        "kilogram": "1000",
        "tonne": "1000000",
        "ounce": "28.349523125",
        "pound": "453.59237",
        "stone": "6350.29318",
        "liang": "50",
        "jin": "500",
        "baht_of_gold": "15.244",
        "catty": "604.78982",
        "tael": "37.79936375",
        "tola": "11.6638038",
        "arroba": "15000",
    },
    "volume": {
        "milliliter": "0.001",
        "liter": "1",
        "teaspoon": "0.00492892159375",
        "tablespoon": "0.01478676478125",
        "fluid_ounce": "0.0295735295625",
        "cup": "0.2365882365",
        "pint": "0.473176473",
        "quart": "0.946352946",
        "gallon": "3.785411784",
    },
    "time": {
        "second": "1",
        "minute": "60",
        "hour": "3600",
        "day": "86400",
        "week": "604800",
        "month": "2628000",
        "year": "31536000",
    },
    "speed": {
        "meter_per_second": "3.6",
        "kilometer_per_hour": "1",
        "mile_per_hour": "1.609344",
        "knot": "1.852",
    },
    "data": {
        "byte": "1",
        "kilobyte": "1000",
        "megabyte": "1000000",
        "gigabyte": "1000000000",
        "terabyte": "1000000000000",
    },
    "area": {
        "square_meter": "1",
        "square_foot": "0.09290304",
        "acre": "4046.8564224",
        "hectare": "10000",
        "square_kilometer": "1000000",
        "square_mile": "2589988.110336",
        "mu": "666.6666666666666666667",
        "square_wah": "4",
        "ngan": "400",
        "rai": "1600",
        "sotka": "100",
        "donum": "1000",
    },
    "energy": {"joule": "1", "calorie": "4184", "kilowatt_hour": "3600000"},
    "angle": {"degree": "1", "radian": "57.29577951308232"},
}

_FACTORS: dict[str, tuple[str, Fraction]] = {
    unit: (dimension, Fraction(factor)) for dimension, units in _DECIMAL.items() for unit, factor in units.items()
}

_TO_KELVIN: dict[str, tuple[Fraction, Fraction]] = {
    "kelvin": (Fraction(1), Fraction(0)),
    "celsius": (Fraction(1), Fraction("273.15")),
    "fahrenheit": (Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
}
"""Scale -> (factor, offset) to kelvin."""

_OTHER_SCALE = {"celsius": "fahrenheit", "fahrenheit": "celsius", "kelvin": "celsius"}

UNITS = frozenset({*_FACTORS, *_TO_KELVIN})
"""Every unit that can be converted."""


def convert(value: Fraction, source: str, target: str) -> tuple[Fraction, str, str] | None:
    """The value in the target unit, with both units as they were meant; None when they measure different things."""
    source, target = _meant(source, target), _meant(target, source)
    if source in _TO_KELVIN and target in _TO_KELVIN:
        factor, offset = _TO_KELVIN[source]
        target_factor, target_offset = _TO_KELVIN[target]
        return (value * factor + offset - target_offset) / target_factor, source, target
    if source not in _FACTORS or target not in _FACTORS:
        return None
    (dimension, factor), (target_dimension, target_factor) = _FACTORS[source], _FACTORS[target]
    if dimension != target_dimension:
        return None
    return value * factor / target_factor, source, target


def _meant(unit: str, other: str) -> str:
    """A unit's sense beside another: ounces of a liquid, degrees of temperature, kilos of weight or of way."""
    if unit == "kilo":
        return "kilometer" if _FACTORS.get(other, ("", 0))[0] == "length" else "kilogram"
    if unit == "ounce" and _FACTORS.get(other, ("", 0))[0] == "volume":
        return "fluid_ounce"
    if unit == "degree" and other in _OTHER_SCALE:
        return _OTHER_SCALE[other]
    return unit
