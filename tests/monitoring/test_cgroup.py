"""Limits read from trees like those that the kernel shows."""

from pathlib import Path

import pytest

from api_pokemon.monitoring import Cgroup
from api_pokemon.monitoring.cgroup import CpuLimit, MemoryLimit

V1_UNLIMITED = 9223372036854771712


@pytest.fixture
def cgroup(tmp_path: Path):
    def build(membership: str, files: dict[str, object]) -> Cgroup:
        for name, content in files.items():
            file = tmp_path / "cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{content}\n")
        (tmp_path / "self").write_text(membership)
        return Cgroup(tmp_path / "cgroup", tmp_path / "self")

    return build


def test_version_2_in_a_container(cgroup) -> None:
    group = cgroup(
        "0::/\n",
        {
            "cpu.max": "150000 100000",
            "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000",
            "memory.max": 1000,
            "memory.current": 700,
            "memory.stat": "anon 300\nfile 400\ninactive_file 250\nactive_file 150",
        },
    )
    assert group.cpu() == CpuLimit(used_seconds=2.5, cpus=1.5)
    assert group.memory() == MemoryLimit(used_bytes=450, limit_bytes=1000)


def test_the_tightest_limit_above_the_process_counts(cgroup) -> None:
    group = cgroup(
        "0::/team/job/task\n",
        {
            "team/cpu.max": "50000 100000",
            "team/cpu.stat": "usage_usec 9000000",
            "team/memory.max": 1000,
            "team/memory.current": 950,
            "team/job/cpu.max": "200000 100000",
            "team/job/cpu.stat": "usage_usec 1000000",
            "team/job/memory.max": 500,
            "team/job/memory.current": 100,
            "team/job/task/cpu.max": "max 100000",
            "team/job/task/memory.max": "max",
            "other/cpu.max": "1000 100000",
            "other/memory.max": 1,
        },
    )
    assert group.cpu() == CpuLimit(used_seconds=9.0, cpus=0.5)
    assert group.memory() == MemoryLimit(used_bytes=950, limit_bytes=1000)


def test_version_1(cgroup) -> None:
    group = cgroup(
        "4:memory:/docker/abc\n3:cpuset:/\n2:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n0::/\n",
        {
            "cpu/docker/abc/cpu.cfs_quota_us": 25000,
            "cpu/docker/abc/cpu.cfs_period_us": 100000,
            "cpu/cpu.cfs_quota_us": -1,
            "cpu/cpu.cfs_period_us": 100000,
            "cpuacct/docker/abc/cpuacct.usage": 3_000_000_000,
            "memory/docker/abc/memory.limit_in_bytes": 4096,
            "memory/docker/abc/memory.usage_in_bytes": 3000,
            "memory/docker/abc/memory.stat": "inactive_file 1\ntotal_inactive_file 1000",
            "memory/memory.limit_in_bytes": V1_UNLIMITED,
            "memory/memory.usage_in_bytes": 999999,
        },
    )
    assert group.cpu() == CpuLimit(used_seconds=3.0, cpus=0.25)
    assert group.memory() == MemoryLimit(used_bytes=2000, limit_bytes=4096)


def test_a_container_that_sees_only_its_own_root_reads_that(cgroup) -> None:
    group = cgroup(
        "4:memory:/docker/abc\n",
        {"memory/memory.limit_in_bytes": 4096, "memory/memory.usage_in_bytes": 1024},
    )
    assert group.memory() == MemoryLimit(used_bytes=1024, limit_bytes=4096)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cpu.max": "max 100000", "cpu.stat": "usage_usec 1", "memory.max": "max", "memory.current": 1},
        {"cpu.max": "rubbish", "cpu.stat": "usage_usec 1", "memory.max": "rubbish", "memory.current": 1},
        {"cpu.max": "100 100", "memory.max": "100"},
    ],
)
def test_no_limit_is_none(cgroup, files: dict[str, object]) -> None:
    group = cgroup("0::/\n", files)
    assert group.cpu() is None
    assert group.memory() is None


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    group = Cgroup(tmp_path / "none", tmp_path / "nothing")
    assert group.cpu() is None
    assert group.memory() is None
