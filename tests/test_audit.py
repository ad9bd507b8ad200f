"""`.ci/audit`: a vulnerability stops it until it is accepted, and a service that does not answer is no vulnerability."""

import os
import subprocess
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[1] / ".ci" / "audit"


@pytest.fixture
def audit(tmp_path):
    """.ci/audit with a pip-audit that says so and ends with a status, and a list of what is accepted."""

    def run(says: str, status: int, accepted: str = "") -> subprocess.CompletedProcess:
        (tmp_path / "pip-audit").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho "{says}"\nexit {status}\n')
        (tmp_path / "pip-audit").chmod(0o755)
        (tmp_path / "accepted").write_text(accepted)
        environment = {**os.environ, "PIP_AUDIT": str(tmp_path / "pip-audit")}
        return subprocess.run([AUDIT, tmp_path / "accepted"], env=environment, capture_output=True, text=True)

    return run


def test_a_known_vulnerability_stops_it(audit):
    result = audit("Found 1 known vulnerability in 1 package", 1)
    assert result.returncode == 1 and "Found 1 known" in result.stdout


def test_nothing_known_passes_and_a_service_that_is_away_is_said(audit):
    assert audit("No known vulnerabilities found", 0).returncode == 0
    away = audit("requests.exceptions.ConnectionError: no route", 1)
    assert away.returncode == 0 and "NOT DONE" in away.stdout and "no route" in away.stdout


def test_what_is_accepted_is_so_until_its_day(audit, tmp_path):
    assert audit("No known vulnerabilities found", 0, "# why\nCVE-1 2999-12-31 only on Windows\n").returncode == 0
    assert "--ignore-vuln CVE-1" in (tmp_path / "asked").read_text()
    late = audit("No known vulnerabilities found", 0, "CVE-1 2020-01-01 only on Windows\n")
    assert late.returncode == 1 and "CVE-1 was accepted until 2020-01-01" in late.stderr
