"""Templates of discovery messages: what real devices use works, what could run away is refused."""

from __future__ import annotations

import pytest

from entendre.home.mqtt.templates import UnsupportedTemplateError, command_template, value_template


@pytest.mark.parametrize(
    ("template", "payload", "value"),
    [
        (None, "ON", "ON"),
        ("{{ value_json.state }}", '{"state": "ON"}', "ON"),
        ("{{value_json.POWER1}}", '{"POWER1":"OFF"}', "OFF"),
        ("{{ value_json['occupied_heating_setpoint'] }}", '{"occupied_heating_setpoint": 21.5}', "21.5"),
        ("{{ value_json.a.b[0] }}", '{"a": {"b": [7]}}', "7"),
        ("{{ value | int / 2.55 | round(0) }}", "255", "85.0"),
        ("{{ value_json.contact }}", '{"contact": false}', "False"),
        ("{{ 'ON' if value_json.x | float > 3 else 'OFF' }}", '{"x": "3.5"}', "ON"),
        ("{% if value == '1' %}open{% else %}closed{% endif %}", "1", "open"),
        ("{% set v = {None: None, 'idle': 'off'} %}{{ v[value_json.s] }}", '{"s": "idle"}', "off"),
        ("{{ value_json.get('x', 4) }}", "{}", "4"),
        ("{{ value_json.x | default('none') }}", "{}", "none"),
        ("{{ value_json.state }}", "not json", None),
        ("{{ value_json.state }}", "{}", None),
        ("{{ value | int / 0 }}", "1", None),
        ("{{ value * 1000000000 }}", "abc", None),
    ],
)
def test_values(template: str | None, payload: str, value: str | None) -> None:
    assert value_template(template)(payload) == value


def test_commands_get_their_values() -> None:
    assert command_template(None)({"value": 30}) == "30"
    assert command_template("{{ red }},{{ green }}")({"red": 1, "green": 2}) == "1,2"
    assert command_template('{"position": {{ value }}}')({"value": 5}) == '{"position": 5}'


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(9) %}x{% endfor %}",
        "{{ range(100000000) }}",
        "{{ value.__class__.__mro__() }}",
        "{{ value.replace('a', 'b' ) }}",
        "{{ value.center(1000000000) }}",
        "{{ 'x' | center(1000000000) }}",
        "{{ 2 ** 100000000 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% include 'x' %}",
        "{% set a = value ~ value ~ value ~ value ~ value %}{% set b = a ~ a ~ a ~ a ~ a %}{{ b }}",
        "{% set a = 1 %}" * 5,
        "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
        "{{ value",
        "x" * 5000,
    ],
)
def test_what_could_run_away_is_refused(template: str) -> None:
    with pytest.raises(UnsupportedTemplateError):
        value_template(template)


@pytest.mark.parametrize("template", ["{{ value.__class__ }}", "{{ cycler }}", "{{ self }}"])
def test_nothing_of_python_is_reached(template: str) -> None:
    assert value_template(template)("x") in (None, "<TemplateReference None>")
