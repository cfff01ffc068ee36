"""The target: where each setting comes from, and one clear line for each that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from conformance.config.settings import BUILT_IN, SETTINGS
from conformance.config.target import (
    PROFILE_FEATURES,
    Misconfigured,
    Target,
    is_loopback,
    key_of,
    resolve,
)
from conformance.contract.schemas import REVISIONS

LOCAL = "http://127.0.0.1:8080/v1"
REMOTE = "https://api.example.com/v1"


def target(
    options: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> Target:
    return resolve(options or {}, environ or {}, "nonce", file)


def refused(
    options: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> str:
    """The message; it is one line."""
    with pytest.raises(Misconfigured) as raised:
        target(options, environ, file)
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "target.toml"


def test_nothing_given_is_the_built_in_endpoint() -> None:
    got = target()
    assert got.built_in
    assert (got.endpoint, got.name, got.model, got.revision) == (BUILT_IN, BUILT_IN, "mimo-v2.5-pro", REVISIONS[0])
    assert (got.api_key_env, got.concurrency, got.max_body) == ("MIMO_API_KEY", 4, 16_000_000)
    assert (got.connect_timeout, got.first_byte_timeout, got.read_timeout, got.total_timeout) == (10, 120, 30, 180)
    assert (got.lacks, got.unknown_parameters, got.nonce) == (frozenset(), "either", "nonce")
    assert got.sources == {one.name: "default" for one in SETTINGS}


@pytest.mark.parametrize(
    ("name", "option", "variable", "in_file", "default"),
    [
        ("endpoint", "http://o/v1", "http://e/v1", "http://f/v1", BUILT_IN),
        ("model", "of-option", "of-environment", "of-file", "mimo-v2.5-pro"),
        ("api-key-env", "O_KEY", "E_KEY", "F_KEY", "MIMO_API_KEY"),
        ("concurrency", "3", "2", 1, 4),
        ("rpm", "3.5", "2", 1, None),
        ("max-requests", "3", "2", 1, None),
        ("max-output-tokens", "3", "2", 1, None),
        ("connect-timeout", 3.5, "2.5", 1.5, 10.0),
        ("read-timeout", "3", "2", 1, 30.0),
        ("first-byte-timeout", "3", "2", 1, 120.0),
        ("total-timeout", "3", "2", 1, 180.0),
        ("max-body", "3", "2", 1, 16_000_000),
    ],
)
def test_option_beats_environment_beats_file_beats_default(
    name: str, option: str | float, variable: str, in_file: str | float, default: str | float | None, toml: Path
) -> None:
    member = name.replace("-", "_")
    toml.write_text(f"{member} = {in_file!r}\n")
    environ = {"CONFORMANCE_" + member.upper(): variable}
    got = [
        target({name: option}, environ, toml),
        target({}, environ, toml),
        target({name: None}, {}, toml),
        target({}, {}, None),
    ]
    kind = str if isinstance(default, str) else float
    assert [kind(getattr(one, member)) for one in got[:3]] == [kind(value) for value in (option, variable, in_file)]
    assert getattr(got[3], member) == default
    assert [one.sources[name] for one in got] == ["option", "CONFORMANCE_" + member.upper(), str(toml), "default"]
    assert {one.sources[other.name] for one in got for other in SETTINGS if other.name != name} == {"default"}


def test_revision_has_the_same_precedence(toml: Path) -> None:
    toml.write_text('revision = "2026-10"\n')
    assert (target(file=toml).revision, target(file=toml).model) == ("2026-10", "mimo-v2.6-pro")
    assert target({"revision": "2026-06-24"}, {"CONFORMANCE_REVISION": "2026-10"}, toml).revision == "2026-06-24"
    assert target({}, {"CONFORMANCE_REVISION": "2026-06-24"}, toml).model == "mimo-v2.5-pro"


def test_empty_variable_counts_as_unset() -> None:
    got = target({}, {"CONFORMANCE_MODEL": ""})
    assert (got.model, got.sources["model"]) == ("mimo-v2.5-pro", "default")


def test_blanks_around_a_text_are_dropped() -> None:
    assert target({"model": " m "}).model == "m"


@pytest.mark.parametrize("endpoint", [REMOTE, "http://192.0.2.1/v1", "http://localhost.example.com/v1"])
def test_remote_endpoint_has_longer_times(endpoint: str) -> None:
    got = target({"endpoint": endpoint})
    assert (got.first_byte_timeout, got.read_timeout, got.total_timeout) == (600, 300, 900)
    assert (got.built_in, got.name, got.rpm) == (False, endpoint, 100.0)


@pytest.mark.parametrize("endpoint", [LOCAL, "http://localhost/v1", "http://[::1]:1/v1", "http://127.9.9.9/v1"])
def test_loopback_has_shorter_times(endpoint: str) -> None:
    got = target({"endpoint": endpoint})
    assert (got.first_byte_timeout, got.read_timeout, got.total_timeout, got.built_in) == (120, 30, 180, False)
    assert got.rpm is None


@pytest.mark.parametrize(
    ("url", "loopback"),
    [(LOCAL, True), ("http://LOCALHOST/v1", True), ("https://[::1]/", True), (REMOTE, False), ("", False),
     ("http://0.0.0.0/v1", False), ("http://10.0.0.1/v1", False), ("http://127.0.0.1.example.com/", False)],
)  # fmt: skip
def test_loopback_is_told_by_the_host(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (LOCAL, LOCAL + "/responses"),
        (LOCAL + "/", LOCAL + "/responses"),
        ("https://h/a/v1//", "https://h/a/v1/responses"),
        ("https://h", "https://h/responses"),
    ],
)
def test_requests_go_below_the_base(endpoint: str, url: str) -> None:
    assert target({"endpoint": endpoint}).url == url


def test_profile_is_read(toml: Path) -> None:
    toml.write_text('name = "vLLM"\n[profile]\nlacks = ["custom-tools", "auth"]\nunknown_parameters = "reject"\n')
    got = target(file=toml)
    assert (got.name, got.lacks, got.unknown_parameters) == ("vLLM", frozenset({"custom-tools", "auth"}), "reject")


def test_lacks_may_be_one_text(toml: Path) -> None:
    toml.write_text('[profile]\nlacks = "tools"\n')
    assert target(file=toml).lacks == frozenset({"tools"})


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:8080/v1", "ftp://h/v1", "http://", "http:///v1", "api.example.com", "built-in", "//h/v1", "/v1"],
)
def test_no_http_url_is_refused(endpoint: str) -> None:
    message = refused({"endpoint": endpoint})
    assert f"endpoint {endpoint!r} is not a URL such as http://" in message


@pytest.mark.parametrize("endpoint", ["http://h:port/v1", "http://h:99999/v1", "http://[::1/v1"])
def test_broken_url_is_refused(endpoint: str) -> None:
    assert refused({"endpoint": endpoint}).startswith(f"endpoint {endpoint!r} is not a URL: ")


@pytest.mark.parametrize("place", ["someone:hidden@", "hidden@", ":hidden@"])
def test_credentials_in_the_url_are_refused_and_not_repeated(place: str) -> None:
    message = refused({"endpoint": f"https://{place}api.example.com/v1"})
    assert "endpoint contains credentials" in message
    assert "environment variable" in message
    assert "hidden" not in message


@pytest.mark.parametrize("rest", ["@h:port/v1", "@ho\u2100st/v1", "/den@host/v1", "@[h]/v1"])
def test_credentials_in_a_broken_url_are_not_repeated(rest: str) -> None:
    assert "hid" not in refused({"endpoint": f"http://someone:hid{rest}"})


@pytest.mark.parametrize("suffix", ["?a=1", "#top", "/?a"])
def test_query_or_fragment_is_refused(suffix: str) -> None:
    assert "has a query or fragment" in refused({"endpoint": LOCAL + suffix})


@pytest.mark.parametrize("suffix", ["/responses", "/responses/", "/responses//"])
def test_endpoint_beyond_the_base_is_refused(suffix: str) -> None:
    message = refused({"endpoint": LOCAL + suffix})
    assert "endpoint ends in /responses" in message
    assert "/v1" in message


def test_endpoint_is_checked_wherever_it_comes_from(toml: Path) -> None:
    toml.write_text(f'endpoint = "{LOCAL}/responses"\n')
    assert "ends in /responses" in refused(file=toml)
    assert "ends in /responses" in refused({}, {"CONFORMANCE_ENDPOINT": LOCAL + "/responses"})


def test_unknown_revision_names_the_nearest() -> None:
    assert refused({"revision": "2026-06-23"}) == "revision '2026-06-23' is not known; did you mean '2026-06-24'?"
    assert refused({"revision": "2026-1"}) == "revision '2026-1' is not known; did you mean '2026-10'?"


def test_unknown_revision_far_from_all_lists_them() -> None:
    assert refused({"revision": "next"}) == f"revision 'next' is not known; known: {', '.join(REVISIONS)}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('end_point = "x"', "'end_point' is not known; did you mean 'endpoint'?"),
        ('api-key-env = "x"', "'api-key-env' is not known; did you mean 'api_key_env'?"),
        ("zzz = 1", "'zzz' is not known; known: name, profile, headers, endpoint"),
        ("[profile]\nlack = []", "'lack' is not known; did you mean 'lacks'?"),
        ('[profile]\nlacks = ["custom-tool"]', "'custom-tool' is not known; did you mean 'custom-tools'?"),
        ('[profile]\nlacks = ["zzz"]', f"'zzz' is not known; known: {', '.join(PROFILE_FEATURES)}"),
        ('[profile]\nlacks = ["tools", "stream"]', "'stream' is not known; did you mean 'streaming'?"),
        ('[profile]\nunknown_parameters = "rejects"', "'rejects' is not known; did you mean 'reject'?"),
        ("[profile]\nunknown_parameters = 7", "7 is not known; known: either, reject, filter"),
    ],
)
def test_unknown_word_in_the_file_names_the_nearest(text: str, says: str, toml: Path) -> None:
    toml.write_text(text)
    assert says in refused(file=toml)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("zzz = 1", "{file}: "),
        ("[profile]\nzzz = 1", "{file}, [profile]: "),
        ('[profile]\nlacks = ["zzz"]', "profile.lacks: "),
        ('[profile]\nunknown_parameters = "zzz"', "profile.unknown_parameters: "),
    ],
)
def test_unknown_word_says_where_it_stands(text: str, where: str, toml: Path) -> None:
    toml.write_text(text)
    assert refused(file=toml).startswith(where.format(file=toml))


@pytest.mark.parametrize(
    ("options", "environ", "says"),
    [
        ({"concurrency": "many"}, {}, "--concurrency is 'many', not a number"),
        ({"read-timeout": "1s"}, {}, "--read-timeout is '1s', not a number"),
        ({}, {"CONFORMANCE_MAX_BODY": "16M"}, "CONFORMANCE_MAX_BODY is '16M', not a number"),
        ({"model": "  "}, {}, "--model is empty"),
        ({"model": ""}, {}, "--model is empty"),
        ({"endpoint": 7}, {}, "--endpoint is 7, not a string"),
    ],
)
def test_wrong_type_says_which_option(options: Mapping[str, Any], environ: Mapping[str, str], says: str) -> None:
    assert refused(options, environ) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model = 7", "model is 7, not a string"),
        ("endpoint = true", "endpoint is True, not a string"),
        ("concurrency = [1]", "concurrency is [1], not a number"),
        ('max_body = "big"', "max_body is 'big', not a number"),
    ],
)
def test_wrong_type_in_the_file_names_the_file(text: str, says: str, toml: Path) -> None:
    toml.write_text(text)
    assert refused(file=toml) == f"{toml}: {says}"


@pytest.mark.parametrize("name", [one.name for one in SETTINGS if one.kind == "number"])
@pytest.mark.parametrize("value", ["0", "-1", "-0.5", "nan", "inf"])
def test_number_not_above_zero_is_refused(name: str, value: str) -> None:
    if (name, value) == ("wait", "0"):
        assert target({name: value}).wait == 0
        return
    limit = "less than 1e+12" if value == "inf" else "more than 0"
    assert refused({name: value}).startswith(f"{name} is {value}; it must be {limit}")


def test_profile_that_is_no_table_is_refused(toml: Path) -> None:
    toml.write_text("profile = 7")
    assert refused(file=toml) == f"{toml}: profile is not a table"


def test_file_that_is_not_there_is_refused(toml: Path) -> None:
    assert refused(file=toml).startswith(f"target file {toml} cannot be read: ")


def test_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    assert refused(file=tmp_path).startswith(f"target file {tmp_path} cannot be read: ")


def test_file_that_is_not_utf8_is_refused(toml: Path) -> None:
    toml.write_bytes(b'name = "\xff"\n')
    assert refused(file=toml).startswith(f"target file {toml} cannot be read: ")


@pytest.mark.parametrize("text", ["model = ", "= 1", "model", '{"model": "m"}', "[profile"])
def test_file_that_is_no_toml_is_refused(text: str, toml: Path) -> None:
    toml.write_text(text)
    assert refused(file=toml).startswith(f"target file {toml} is not TOML: ")


def test_key_comes_from_its_variable() -> None:
    assert key_of(target(), {"MIMO_API_KEY": "sk-1", "OTHER": "sk-2"}) == "sk-1"
    assert key_of(target({"api-key-env": "OTHER"}), {"MIMO_API_KEY": "sk-1", "OTHER": "sk-2"}) == "sk-2"


@pytest.mark.parametrize("environ", [{}, {"OTHER": ""}, {"MIMO_API_KEY": "sk-1"}])
def test_missing_key_names_its_variable(environ: Mapping[str, str]) -> None:
    with pytest.raises(Misconfigured, match=r"^OTHER is not set: .*--api-key-env"):
        key_of(target({"api-key-env": "OTHER"}), environ)


@pytest.mark.parametrize("key", [" hidden", "hidden ", "hidden\n", "hid\nden", "hid\tden", "hidd\u00e9n", "hid\x00den"])
def test_key_that_cannot_stand_in_a_header_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(Misconfigured, match=r"^MIMO_API_KEY contains spaces, line ends or characters outside ASCII$"):
        key_of(target(), {"MIMO_API_KEY": key})
