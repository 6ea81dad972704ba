"""Many buyers, few units, workers that die: nothing is sold that is not there."""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from support.checker import Checker
from support.faults_client import order
from support.postgres import PostgresServer
from support.system import Shape, System

UNITS = 10
BUYERS = 100


@pytest.mark.timeout(600)
def test_no_unit_is_sold_twice_and_the_stock_adds_up_in_every_sample(
    tmp_path: Path,
    own_postgres: PostgresServer,
    sized: Callable[[int, int], int],
    tell: Callable[[object], None],
) -> None:
    skus = [f"sku-{number}" for number in range(sized(15, 50))]
    attempts, draw = sized(600, 2_000), random.Random(3)
    shape = Shape(orders=1, inventories=3)
    with System(tmp_path, shape, postgres=own_postgres) as system, system.client() as client:
        for sku in skus:
            client.set_stock(sku, UNITS, threshold=2)
        orders = [
            order(
                f"order-{number}-of-buyer-{number % BUYERS}",
                **dict.fromkeys(draw.sample(skus, 2), draw.randint(1, 2)),
            )
            for number in range(attempts)
        ]
        checker = Checker(system)
        with Sampling(checker) as sampling:
            for start in range(0, attempts, attempts // 6):
                client.publish_many(orders[start : start + attempts // 6])
                draw.choice(system.of_kind("inventory-worker")).kill9()
            checker.settle(within=200)

        judgement = checker.judge(client.history, stock=dict.fromkeys(skus, UNITS))
        tell(f"{sampling.samples} samples; {judgement}")
        assert not judgement.wrong, judgement
        assert not sampling.wrong, sampling.wrong
        assert sampling.samples > 10
        assert checker.rows("inventory-worker", "SELECT sku FROM stock WHERE reserved > 0"), (
            "nothing was sold"
        )


class Sampling:
    """Looks at the stock all the time, and keeps what was wrong with it."""

    def __init__(self, checker: Checker) -> None:
        self.samples = 0
        self.wrong: list[str] = []
        self._checker = checker
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.1):
            self.wrong += self._checker.stock_identities()
            self.samples += 1
