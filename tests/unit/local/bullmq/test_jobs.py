import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from local_start.bullmq.jobs import Job, State, due_of

TAKEN_BY_THE_GATEWAY = re.compile(r"[A-Za-z0-9._:-]{1,64}")

names = st.text(min_size=1, max_size=40).filter(lambda name: ":" not in name)


def job(queue: str = "orders", job_id: str = "17", created: int = 1_795_533_536_375) -> Job:
    return Job(queue=queue, id=job_id, state=State.WAIT, name="x", data=b"{}", created=created)


def test_an_event_id_tells_where_it_comes_from() -> None:
    assert job().event_id() == "bullmq:orders:17:1795533536375"


@given(names, st.text(max_size=80), st.text(max_size=20))
def test_any_job_has_an_id_that_the_gateway_takes(queue: str, job_id: str, prefix: str) -> None:
    assert TAKEN_BY_THE_GATEWAY.fullmatch(job(queue, job_id).event_id(prefix))


@given(
    st.lists(
        st.tuples(names, st.text(max_size=20), st.integers(0, 9), st.sampled_from(["bull", "b"])), unique=True
    )
)
def test_no_two_jobs_share_an_id(jobs: list[tuple[str, str, int, str]]) -> None:
    ids = {job(queue, job_id, created).event_id(prefix) for queue, job_id, created, prefix in jobs}

    assert len(ids) == len(jobs)


def test_a_score_is_milliseconds_and_a_place_among_them() -> None:
    due = datetime(2026, 11, 24, 12, 0, 0, 123_000, UTC)
    milliseconds = int(due.timestamp() * 1000)

    assert due_of(milliseconds * 4096) == due_of(milliseconds * 4096 + 4095) == due
