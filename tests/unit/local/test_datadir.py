from pathlib import Path

import pytest

from local_start.datadir import DataDir
from local_start.errors import LocalStartError


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data")


def test_preparing_twice_keeps_the_keys(data: DataDir) -> None:
    data.prepare()
    keys = data.api_key.read_text(), data.service_key.read_text()

    data.prepare()

    assert (data.api_key.read_text(), data.service_key.read_text()) == keys
    assert keys[0] != keys[1]


def test_a_key_that_others_could_read_is_closed_to_them(data: DataDir) -> None:
    data.prepare()
    data.api_key.chmod(0o644)

    data.prepare()

    assert data.api_key.stat().st_mode & 0o777 == 0o600


def test_a_key_of_the_users_is_kept(data: DataDir) -> None:
    data.root.mkdir()
    data.api_key.write_text("qk_chosen_by_the_user\n")

    data.prepare()

    assert data.api_key.read_text() == "qk_chosen_by_the_user\n"


def test_forgetting_leaves_what_is_not_ours(data: DataDir) -> None:
    data.root.mkdir()
    (data.root / "bench.json").write_text("{}")
    data.prepare()
    for suffix in ("db", "db-wal", "db-shm"):
        (data.root / f"gateway.{suffix}").touch()

    assert data.forget()

    assert [path.name for path in data.root.iterdir()] == ["bench.json"]


def test_forgetting_follows_no_link_out_of_the_directory(data: DataDir, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "letter").touch()
    data.prepare()
    data.valkey.rmdir()
    data.valkey.symlink_to(outside)

    data.forget()

    assert (outside / "letter").exists()


def test_there_may_be_nothing_to_forget(data: DataDir) -> None:
    assert not data.forget()


def test_a_directory_of_somebody_else_is_neither_taken_nor_emptied(data: DataDir) -> None:
    (data.root / "logs").mkdir(parents=True)

    with pytest.raises(LocalStartError, match="somebody else"):
        data.prepare()
    with pytest.raises(LocalStartError, match="nothing was deleted"):
        data.forget()


def test_only_one_holds_the_lock(data: DataDir) -> None:
    data.prepare()

    with data.only_one() as first, data.only_one() as second:
        assert (first, second) == (True, False)
    with data.only_one() as again:
        assert again


def test_a_new_log_keeps_the_last_one(data: DataDir) -> None:
    data.prepare()
    data.new_log("gateway").write_text("first start")

    assert data.new_log("gateway").read_text() == ""
    assert (data.logs / "gateway.log.1").read_text() == "first start"
