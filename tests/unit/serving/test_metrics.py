import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stylesearch.serving.metrics import ServiceMetrics, forget_dead_workers


def values(text: str) -> dict[str, float]:
    """Samples by name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_figures_of_one_worker() -> None:
    metrics = ServiceMetrics()
    metrics.observe("decode", 0.02)
    metrics.observe("extract", 0.3)
    metrics.observe("extract", 0.5)
    metrics.observe("batch", 4)
    metrics.observe("something new", 1)
    metrics.count_answer("GET", "/", 200, 0.01)
    metrics.observe("queue", 7)
    metrics.observe("queue", 3)
    metrics.rejected.labels("queue").inc()
    found = values(metrics.text().decode())
    assert found["stylesearch_step_seconds_count[('step', 'extract')]"] == 2
    assert found["stylesearch_step_seconds_sum[('step', 'extract')]"] == pytest.approx(0.8)
    assert found["stylesearch_step_seconds_count[('step', 'wait')]"] == 0
    assert found["stylesearch_batch_photos_sum[]"] == 4
    assert found["stylesearch_requests_total[('method', 'GET'), ('route', '/'), ('status', '200')]"] == 1
    assert found["stylesearch_queue_photos[]"] == 3
    assert found["stylesearch_rejected_total[('reason', 'queue')]"] == 1
    assert found["process_resident_memory_bytes[]"] > 0


def test_two_services_in_one_process_do_not_mix() -> None:
    one, other = ServiceMetrics(), ServiceMetrics()
    one.count_answer("GET", "/", 200, 0.01)
    assert 'route="/"' not in other.text().decode()


WORKER = """
import sys
from stylesearch.serving.metrics import ServiceMetrics
metrics = ServiceMetrics()
metrics.count_answer("GET", "/", 200, 0.01)
metrics.queue_photos.set(5)
metrics.catalog_products.set(7)
if sys.argv[1:] == ["show"]:
    print(metrics.text().decode())
"""


def test_workers_that_share_a_folder_are_added_up_and_the_dead_wait_for_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def work(*arguments: str) -> str:
        command = [sys.executable, "-c", WORKER, *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    work()
    work()
    assert len(forget_dead_workers(tmp_path)) == 2
    found = values(work("show"))
    assert found["stylesearch_requests_total[('method', 'GET'), ('route', '/'), ('status', '200')]"] == 3
    assert found["stylesearch_queue_photos[]"] == 5, "only of the one that is alive"
    assert found["stylesearch_catalog_products[]"] == 7, "of the catalog, not of each worker"


def test_a_worker_that_lives_is_not_forgotten(tmp_path: Path) -> None:
    (tmp_path / f"gauge_livesum_{os.getpid()}.db").touch()
    assert forget_dead_workers(tmp_path) == []
    assert list(tmp_path.iterdir())
