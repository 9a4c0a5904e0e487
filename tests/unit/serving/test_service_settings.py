from pathlib import Path

import pytest

from stylesearch.errors import ConfigError
from stylesearch.serving.settings import ServiceSettings, load_service_settings
from stylesearch.settings import load_settings

KEY, OTHER = "first-key-0123456789", "second-key-0123456789"


def load(home: Path, flags: dict[str, object] | None = None, **environment: str) -> ServiceSettings:
    return load_service_settings(flags, environment, home=home)


def test_a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[serve]\nport = 1\nworkers = 2\ntimeout = 3\n")
    settings = load(
        tmp_path, {"port": 7, "host": None}, STYLESEARCH_SERVE_PORT="5", STYLESEARCH_SERVE_WORKERS="6"
    )
    assert (settings.port, settings.workers, settings.timeout) == (7, 6, 3.0)
    assert settings.host == "127.0.0.1"


def test_the_workspace_does_not_mind_the_table(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('metric = "l1"\n[serve]\nport = 1\n')
    assert load_settings({"home": tmp_path}, {}).metric == "l1"
    (tmp_path / "config.toml").write_text("serve = 5\n")
    with pytest.raises(ConfigError, match="unknown setting 'serve'"):
        load_settings({"home": tmp_path}, {})
    with pytest.raises(ConfigError, match="is a table"):
        load(tmp_path)


def test_lists_come_with_commas_or_as_lists(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[serve]\ncors_origins = ["https://a.example", "http://b:3000"]\n')
    settings = load(
        tmp_path,
        STYLESEARCH_SERVE_TRUSTED_PROXIES="10.0.0.0/8, ::1,",
        STYLESEARCH_SERVE_ALLOWED_HOSTS="shop.example,[::2],10.0.0.1",
    )
    assert settings.allowed_hosts == ("shop.example", "[::2]", "10.0.0.1")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.cors_origins == ("https://a.example", "http://b:3000")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("prot", 1, "unknown setting 'prot'"),
        ("port", "http", "port wants a whole number"),
        ("port", 65536, "port is at most 65535"),
        ("port", -1, "port is at least 0"),
        ("workers", 0, "workers is at least 1"),
        ("timeout", float("nan"), "timeout is at least"),
        ("max_k", 1001, "max_k is at most 1000"),
        ("rate_limit", True, "rate_limit wants a whole number"),
        ("title", 5, "title wants a text"),
        ("log_format", "xml", "log_format is one of json, text"),
        ("shopify_hosts", "all", "shopify_hosts is one of public, any"),
        ("shopify_secrets", 5, "shopify_secrets wants a list of texts$"),
        ("images", "ours", "images is one of thumbnail, shop"),
        ("trusted_proxies", "proxy.example", "trusted_proxies are addresses"),
        ("cors_origins", "shop.example", "cors_origins are scheme"),
        ("cors_origins", "https://shop.example/path", "cors_origins are scheme"),
        ("cors_origins", 5, "cors_origins wants a list"),
        ("allowed_hosts", "https://shop.example", "allowed_hosts are names"),
        ("allowed_hosts", "shop.example:8000", "allowed_hosts are names"),
        ("allowed_hosts", "*.shop.example", "allowed_hosts are names"),
        ("api_keys", KEY, "API keys are not taken from there"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        load(tmp_path, {name: value})
    assert KEY not in f"{raised.value} {raised.value.hint}"


def test_keys_come_from_the_environment_and_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[serve]\napi_key_file = "keys"\n')
    (tmp_path / "keys").write_text(f"# of the shop\n{KEY}  # ours\n\n{OTHER}\n")
    third = "third-key-0123456789"
    assert load(tmp_path, STYLESEARCH_API_KEY=third, STYLESEARCH_API_KEYS=f"{KEY},").api_keys == (
        third,
        KEY,
        OTHER,
    )


@pytest.mark.parametrize("key", ["tiny", "with a space in the middle", "ümlaut-key-0123456789"])
def test_a_bad_key_is_refused_and_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match="the environment has an API key") as raised:
        load(tmp_path, STYLESEARCH_API_KEY=key)
    assert key not in f"{raised.value} {raised.value.hint}"


def test_a_file_of_keys_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {"api_key_file": str(tmp_path / "none")})


def test_a_file_of_keys_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"\xef\xbb\xbf0123456789abcdef\r\n# old\r\nfedcba9876543210\r\n")
    read = load(tmp_path, {"api_key_file": str(tmp_path / "keys")})
    assert read.api_keys == ("0123456789abcdef", "fedcba9876543210")
    (tmp_path / "keys").write_bytes("0123456789abcdef".encode("utf-16"))
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        load(tmp_path, {"api_key_file": str(tmp_path / "keys")})


def test_keys_are_not_shown_where_settings_are() -> None:
    assert KEY not in repr(ServiceSettings(api_keys=(KEY,)))


def test_secrets_of_shopify_come_from_the_environment_or_the_file_and_are_not_shown(tmp_path: Path) -> None:
    old, new = "shpss_old_0123456789", "shpss_new_0123456789"
    assert load(tmp_path, STYLESEARCH_SERVE_SHOPIFY_SECRETS=f"{new}, {old}").shopify_secrets == (new, old)
    (tmp_path / "config.toml").write_text(f'[serve]\nshopify_secrets = ["{old}"]\n')
    settings = load(tmp_path)
    assert settings.shopify_secrets == (old,)
    assert old not in repr(settings)
    with pytest.raises(ConfigError, match="too short") as raised:
        load(tmp_path, STYLESEARCH_SERVE_SHOPIFY_SECRETS="tiny-secret")
    assert "tiny" not in f"{raised.value} {raised.value.hint}"
