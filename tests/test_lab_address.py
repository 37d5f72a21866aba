"""`labkit lab` prints the address of the course, whatever the learner's settings of Jupyter are."""

import json
import sys
import time

import pytest
from real_server import free_port, running, said
from small_course import make_course

# As `python -m labkit lab`, on the small course and without an import of TensorFlow.
LAB = """
import sys
from pathlib import Path
from labkit import __main__
from labkit.course import environment, tensorflow_start, workspace

workspace.COURSE = Path(sys.argv[1])
environment.begin_import = tensorflow_start.begin_import = lambda: None
sys.exit(__main__.main(["lab", "--no-browser", "--port", sys.argv[2]]))
"""
PASSWORD = {"IdentityProvider": {"hashed_password": "argon2:$argon2id$v=19$m=10240,t=10,p=8$YQ$YQ"}}


@pytest.mark.parametrize(
    ("variables", "settings", "address"),
    [
        (
            {"JUPYTER_TOKEN": "s3cret"},
            {"ServerApp": {"base_url": "/mine/", "log_level": 50}},
            "mine/lab/tree/README.md?token=...",
        ),
        ({}, PASSWORD, "lab/tree/README.md"),
    ],
    ids=["a token and another base", "a password"],
)
def test_the_address_is_printed(tmp_path, variables, settings, address):
    source, workspace = make_course(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "jupyter_server_config.json").write_text(json.dumps(settings))
    command = [sys.executable, "-c", LAB, str(source), str(free_port())]
    variables = {**variables, "LABKIT_WORKSPACE": str(workspace)}
    with running(command, tmp_path, **variables) as server:
        wanted = f"http://127.0.0.1:{server['port']}/{address}"
        until = time.monotonic() + 20  # it answers a moment before it prints
        while wanted not in said(tmp_path) and time.monotonic() < until:
            time.sleep(0.1)
    assert said(tmp_path).count(wanted) == 1
    assert "s3cret" not in said(tmp_path)
