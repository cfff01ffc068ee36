"""Findings about the arguments of calls: where within the arguments they are."""

from __future__ import annotations

import pytest

from conformance.emulator.faults import FAULTS
from tools.in_process import verdicts


@pytest.mark.parametrize(
    ("fault", "places"),
    [
        (
            "tools.arguments-of-wrong-type",
            [
                "at /city, 7 is not of type 'string'",
                "at /days, '1' is not of type 'integer'",
                "at /unit, 7 is not one of ['celsius', 'fahrenheit']",
            ],
        ),
        (
            "tools.arguments-without-members",
            ["'city' is a required property", "'days' is a required property", "'unit' is a required property"],
        ),
    ],
)
def test_the_property_that_does_not_fit_is_stated(fault: str, places: list[str]) -> None:
    found = next(one for one in verdicts(FAULTS[fault]) if one.case.id == "tools.arguments-fit-schema@tools.call")
    begin = "the arguments do not fit the tool's parameters: "
    assert [one.message for one in found.findings] == [begin + place for place in places]
