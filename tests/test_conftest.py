"""Skips are allowed on a machine that lacks something, never in continuous integration."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SKIPS = """
    import pytest

    def test_that_runs():
        pass

    @pytest.mark.skip(reason="no such thing here")
    def test_that_is_marked():
        pass

    def test_that_finds_out():
        pytest.skip("nor this")
"""


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str) -> pytest.RunResult:
    monkeypatch.setenv("CI", ci)
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makepyfile(SKIPS)
    return pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:hypothesispytest", "-p", "no:anyio")


def test_a_skip_is_a_skip(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    run(pytester, monkeypatch, ci="").assert_outcomes(passed=1, skipped=2)


def test_a_skip_fails_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(pytester, monkeypatch, ci="true")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*With CI=true no test may be skipped. Skipped: no such thing here*"])


def test_a_skipped_module_fails_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(test_absent='import pytest\npytest.importorskip("nowhere")\n')
    result = run(pytester, monkeypatch, ci="true")
    result.stdout.fnmatch_lines(["*With CI=true no test may be skipped.*nowhere*"])
    assert result.ret != 0
