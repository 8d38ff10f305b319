"""The shared fixtures do what they promise."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

LEAK = """
import asyncio

async def test_leaks():
    asyncio.create_task(asyncio.sleep(60))

async def test_is_tidy():
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()

def test_without_loop():
    pass
"""


def test_a_leaked_task_fails_its_test(pytester: pytest.Pytester, repository) -> None:
    pytester.makeconftest((repository / "tests" / "conftest.py").read_text())
    pytester.makepyfile(LEAK)
    result = pytester.runpytest_inprocess("-p", "asyncio", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*left tasks running*"])
