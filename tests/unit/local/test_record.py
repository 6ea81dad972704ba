import os
from pathlib import Path

import pytest

from local_start.datadir import DataDir
from local_start.identity import ProcessId
from local_start.record import Kind, Phase, Record, Run, all_runs, gateway_address, read_system
from local_start.settings import Client, read


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    monkeypatch.chdir(tmp_path)
    data = DataDir(tmp_path / "data")
    data.prepare()
    return data


def _run(supervisor: ProcessId | None = None) -> Run:
    me = ProcessId.of(os.getpid())
    assert me is not None
    return Run(Kind.SYSTEM, supervisor or me, urls={"gateway": "http://127.0.0.1:28000"})


def test_what_is_recorded_is_read_again(data: DataDir) -> None:
    record = Record.of_the_system(data, _run())
    record.started("gateway", ProcessId(7, "then"))
    record.becomes(Phase.HEALTHY)

    assert read_system(data) == record.run


def test_workers_beside_a_system_come_before_it(data: DataDir) -> None:
    Record.of_the_system(data, _run())
    Record.of_more_workers(data, _run(ProcessId(7, "then")))

    assert [path.name for path, _ in all_runs(data)] == ["workers-7.json", "start.json"]


def test_a_record_that_cannot_be_read_is_no_run(data: DataDir) -> None:
    (data.run / "start.json").write_text('{"kind": "sys')

    assert read_system(data) is None
    assert list(all_runs(data)) == []


def test_the_gateway_is_where_the_user_says(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    Record.of_the_system(data, _run())
    monkeypatch.setenv("GATEWAY_URL", "https://queue.example")

    assert gateway_address(data, read(Client)) == "https://queue.example"


def test_the_gateway_is_otherwise_that_of_the_system_that_runs_here(data: DataDir) -> None:
    Record.of_the_system(data, _run())

    assert gateway_address(data, read(Client)) == "http://127.0.0.1:28000"


def test_the_gateway_is_otherwise_at_its_port(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    Record.of_the_system(data, _run(ProcessId(os.getpid(), "an earlier start")))
    monkeypatch.setenv("GATEWAY_PORT", "9000")

    assert gateway_address(data, read(Client)) == "http://127.0.0.1:9000"
