"""What a server may be told."""

import pytest

from keras_inpaint.serving.settings import Settings


def test_defaults_stay_on_this_machine():
    settings = Settings()
    assert settings.host == "127.0.0.1" and settings.on_loopback
    assert settings.allow_origins == () and settings.api_key is None
    assert set(settings.answered_hosts) == {"localhost", "127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_batch_size": 0}, "max_batch_size must be above 0, got 0"),
        ({"max_queue": -1}, "max_queue must be 0 or more, got -1"),
        ({"batch_window_seconds": float("nan")}, "batch_window_seconds"),
        ({"max_concurrency": 4, "max_batch_size": 8}, "a batch is made of requests in work"),
        ({"port": 70000}, "port must be 0 to 65535, got 70000"),
        ({"port": 9000, "grpc_port": 9000}, "must differ"),
        ({"api_key": "  "}, "KERAS_INPAINT_API_KEY"),
        ({"api_key": "schlüssel"}, "ASCII"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)


def test_the_key_is_not_shown():
    assert "secret" not in repr(Settings(api_key="secret"))


def test_hosts():
    assert Settings(host="0.0.0.0").answered_hosts == ()
    assert Settings(host="0.0.0.0", allowed_hosts=("a.example",)).answered_hosts == ("a.example",)
    assert Settings(allowed_hosts=("*",)).answered_hosts == ()
    assert not Settings(host="192.0.2.1").on_loopback


def test_batches_of_large_photos_only_where_they_gain():
    assert Settings().batch_pixels(on_accelerator=False) == 256 * 256
    assert Settings().batch_pixels(on_accelerator=True) == Settings().max_tensor_pixels
    assert Settings(max_batch_pixels=7).batch_pixels(on_accelerator=False) == 7
    with pytest.raises(ValueError, match="max_batch_pixels must be above 0, got 0"):
        Settings(max_batch_pixels=0)
