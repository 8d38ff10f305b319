"""What a device logs in to MQTT with says who it claims to be, and nothing else does."""

import pytest

from entendre.gateways.xiaozhi.credentials import identity_of_client_id, mqtt_login

CLIENT = "7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11"


def test_a_login_names_the_device_and_carries_its_token() -> None:
    login = mqtt_login("aa:bb:cc:dd:ee:ff", CLIENT, "a-token")
    assert login.password == "a-token"
    assert identity_of_client_id(login.client_id) == ("aa:bb:cc:dd:ee:ff", CLIENT)
    assert "a-token" not in login.client_id + login.username


@pytest.mark.parametrize(
    "text", ["", "GID@@@aa_bb_cc_dd_ee_ff", "GID@@@nothing@@@x", "a@@@aa_bb_cc_dd_ee_ff@@@b@@@c", "x" * 200]
)
def test_any_other_client_id_names_nobody(text: str) -> None:
    assert identity_of_client_id(text) is None
