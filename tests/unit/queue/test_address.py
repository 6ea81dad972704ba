"""`REDIS_URL` is read strictly, and what is wrong with it is told without its secrets."""

from pathlib import Path

import pytest

from shared.queue.address import AddressError, Kind, RedisAddress


def test_one_server() -> None:
    address = RedisAddress.parse("redis://cache")

    assert (address.kind, address.hosts, address.database) == (Kind.SINGLE, (("cache", 6379),), 0)
    assert (address.username, address.password, address.tls) == (None, None, None)


def test_a_user_a_password_and_a_database() -> None:
    address = RedisAddress.parse("redis://order-worker:a%2Fb%40c@cache:7000/3")

    assert (address.username, address.password) == ("order-worker", "a/b@c")
    assert (address.hosts, address.database) == ((("cache", 7000),), 3)


def test_a_password_alone_is_the_default_users() -> None:
    assert RedisAddress.parse("redis://:secret@cache").username is None


def test_sentinels_and_the_name_of_their_primary() -> None:
    address = RedisAddress.parse("redis+sentinel://:secret@one:26380,two,[::1]:5/shop-1/2")

    assert address.kind is Kind.SENTINEL
    assert address.hosts == (("one", 26380), ("two", 26379), ("::1", 5))
    assert (address.primary, address.database, address.password) == ("shop-1", 2, "secret")


def test_sentinels_may_want_a_login_of_their_own() -> None:
    address = RedisAddress.parse("redis+sentinel://one/m?sentinel_username=me&sentinel_password=a%26b")

    assert address.sentinel_login == {"username": "me", "password": "a&b"}


def test_a_cluster() -> None:
    address = RedisAddress.parse("redis+cluster://one,two:7001/0")

    assert (address.kind, address.hosts) == (Kind.CLUSTER, (("one", 6379), ("two", 7001)))


@pytest.mark.parametrize("url", ["rediss://c", "rediss+sentinel://c/m", "rediss+cluster://c"])
def test_each_form_has_one_with_tls(url: str) -> None:
    assert RedisAddress.parse(url).tls == {}


def test_tls_may_name_an_authority_that_is_there(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.touch()

    assert RedisAddress.parse(f"rediss://c?ssl_ca_certs={authority}").tls == {"ssl_ca_certs": str(authority)}
    with pytest.raises(AddressError, match="not there"):
        RedisAddress.parse(f"rediss://c?ssl_ca_certs={tmp_path / 'missing'}")


def test_a_certificate_that_is_not_looked_at_has_no_name_to_be_checked() -> None:
    tls = RedisAddress.parse("rediss://c?ssl_cert_reqs=none").tls

    assert tls == {"ssl_cert_reqs": "none", "ssl_check_hostname": False}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cache:6379",
        "http://cache",
        "redis://",
        "redis:///0",
        "redis://one,two",
        "redis://cache:0",
        "redis://cache:65536",
        "redis://cache:port",
        "redis://ca che",
        "redis://cache/zero",
        "redis://cache/-1",
        "redis://cache/0/1",
        "redis://hunter2@cache",
        "redis://cache?ssl_ca_certs=/x",
        "redis://cache?socket_timeout=1",
        "redis://cache#hunter2",
        "rediss://cache?ssl_cert_reqs=sometimes",
        "rediss://cache?ssl_check_hostname=false&ssl_check_hostname=true",
        "redis+sentinel://one",
        "redis+sentinel://one/",
        "redis+sentinel://one/m/zero",
        "redis+sentinel://one,,two/m",
        "redis+cluster://one/1",
        "redis+cluster://one?sentinel_password=hunter2",
        "redis+other://:hunter2@one",
        "redis+sentinel://:hunter2@one",
    ],
)
def test_anything_else_is_refused_without_a_secret_in_the_message(url: str) -> None:
    with pytest.raises(AddressError) as caught:
        RedisAddress.parse(url)

    assert "hunter2" not in str(caught.value)


def test_nothing_that_is_shown_of_an_address_has_a_password() -> None:
    address = RedisAddress.parse("redis+sentinel://u:hunter2@one,[::1]/m?sentinel_password=hunter3")

    assert str(address) == "one:26379,[::1]:26379"
    assert "hunter" not in repr(address)
