"""What asks the machine."""

from __future__ import annotations

import itertools
import uuid

from entendre.system import new_id


def test_ids_are_in_the_order_in_which_they_were_made() -> None:
    made = [new_id() for _ in range(2_000)]
    assert len(set(made)) == len(made)
    in_order = sum(one < other for one, other in itertools.pairwise(made))
    assert in_order >= len(made) - 5, "a clock that is set back may disturb a few"
    assert {uuid.UUID(each).version for each in made} == {7}
    assert {uuid.UUID(each).variant for each in made} == {uuid.RFC_4122}
