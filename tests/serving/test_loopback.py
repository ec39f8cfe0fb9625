"""Which names mean this computer, for the server and for the page."""

import pytest

from keras_inpaint.serving.settings import Settings, is_loopback


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.0.0.2", "::1", "[::1]"])
def test_this_computer(name):
    assert is_loopback(name) and Settings(host=name).on_loopback


@pytest.mark.parametrize("name", ["0.0.0.0", "192.168.0.1", "127.example.org", "example.org", ""])
def test_another(name):
    assert not is_loopback(name)
