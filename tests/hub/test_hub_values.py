"""The settings for a cluster are those of the room, and fit the chart of Zero to JupyterHub."""

import os
import re
from pathlib import Path

import hub_report
import hub_settings
import jsonschema
import pytest
import yaml

VALUES = hub_report.values()
SCHEMA = "LABKIT_CHART"
DOCKERFILE = (hub_settings.HUB / "Dockerfile").read_text(encoding="utf-8")


def test_the_cluster_has_the_settings_of_the_room():
    config = VALUES["hub"]["config"]
    native = config["NativeAuthenticator"]
    assert config["JupyterHub"]["authenticator_class"] == "native"
    assert config["Authenticator"]["admin_users"] == [hub_settings.TEACHER]
    assert config["Authenticator"]["username_pattern"] == rf"{hub_settings.NAME}\Z"
    assert native["open_signup"] is False
    assert native["minimum_password_length"] == hub_settings.LEAST_PASSWORD
    assert native["allowed_failed_logins"] == hub_settings.MOST_WRONG_PASSWORDS
    assert native["seconds_before_next_try"] == hub_settings.SECONDS_AFTER_WRONG_PASSWORDS
    assert config["Spawner"]["http_timeout"] == hub_settings.SECONDS_TO_START
    server = VALUES["singleuser"]
    assert server["startTimeout"] == hub_settings.SECONDS_TO_START
    assert server["defaultUrl"] == hub_settings.START_PAGE
    assert server["cpu"]["limit"] == hub_settings.MOST_CORES
    assert hub_report.in_bytes(server["memory"]["limit"]) == hub_settings.MOST_MEMORY
    assert VALUES["cull"]["timeout"] == 60 * hub_settings.IDLE_MINUTES


def test_a_learner_on_the_cluster_has_what_was_measured():
    """Nobody shares the pages of TensorFlow with a container that is alone on its machine."""
    alone = [one for one in hub_report.read_measured() if one["learners"] == 1]
    if not alone:
        pytest.skip("not measured yet: sudo make hub-load")
    most = max(run["memory"] for run in alone[0]["runs"])
    assert most < hub_report.in_bytes(VALUES["singleuser"]["memory"]["guarantee"])


def test_a_room_lets_in_as_many_as_there_is_memory_for():
    for measured in hub_report.read_measured():
        if measured["learners"] >= 20:
            most = max(run["memory"] for run in measured["runs"])
            assert most < hub_settings.PLANNED_MEMORY


def test_the_image_starts_the_same_server_as_the_room():
    command = VALUES["singleuser"]["cmd"]
    assert f"CMD {command!r}".replace("'", '"') in DOCKERFILE
    inside = Path(command[-1]).relative_to("/opt/course")
    assert (hub_settings.COURSE / inside).is_file()
    assert f"--uid {VALUES['singleuser']['uid']} " in DOCKERFILE
    assert f"WORKDIR {VALUES['singleuser']['storage']['homeMountPath']}\n" in DOCKERFILE


def test_what_the_image_copies_is_there():
    copied = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert copied
    for names in copied:
        for name in names.split():
            assert (hub_settings.COURSE / name).exists(), name
    # What a file that is copied leads to must be in the image, too.
    assert (hub_settings.COURSE / "binder" / "jupyter").is_dir()
    for lock in re.findall(r"-r (\S+)", DOCKERFILE):
        assert lock in " ".join(copied)


def test_the_image_and_the_conda_file_have_one_version_of_python():
    version = re.search(r"^FROM python:([\d.]+)", DOCKERFILE, re.MULTILINE)[1]
    runtime = (hub_settings.COURSE / "binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert runtime == f"python-{version}"


def test_the_values_fit_the_schema_of_the_chart():
    """As helm checks it: the values over the defaults of the chart, against its schema."""
    folder = os.environ.get(SCHEMA)
    if not folder:
        pytest.skip(f"{SCHEMA} does not name the folder of the chart; helm itself checks it, too")
    schema = yaml.safe_load((Path(folder) / "values.schema.yaml").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((Path(folder) / "values.yaml").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    whole = over(defaults, VALUES)
    assert [error.message for error in validator(schema).iter_errors(whole)] == []
    whole["singleuser"]["memry"] = "2G"
    assert len(list(validator(schema).iter_errors(whole))) == 1


def over(defaults, chosen):
    """Return the chosen values over the defaults, as helm merges them."""
    if not isinstance(defaults, dict) or not isinstance(chosen, dict):
        return chosen
    merged = dict(defaults)
    for name, value in chosen.items():
        merged[name] = over(defaults.get(name), value)
    return merged


def test_every_setting_of_the_hub_is_one_that_its_class_has():
    """That of systemd, too, which most machines that run tests do not have."""
    import subprocess

    import hub_process

    if not (hub_process.PYTHON.parents[1] / ".ready").exists():
        pytest.skip("the environment of the hub is not there: make hub installs it")
    config = (hub_settings.HUB / "jupyterhub_config.py").read_text(encoding="utf-8")
    used = re.findall(r"^\s*c\.(\w+\.\w+) = ", config, re.MULTILINE)
    assert "SystemdSpawner.isolate_tmp" in used
    code = (
        "import sys\n"
        "from jupyterhub.app import JupyterHub\n"
        "from jupyterhub.auth import Authenticator\n"
        "from jupyterhub.proxy import ConfigurableHTTPProxy\n"
        "from jupyterhub.spawner import SimpleLocalProcessSpawner, Spawner\n"
        "from nativeauthenticator import NativeAuthenticator\n"
        "from systemdspawner import SystemdSpawner\n"
        "for name in sys.argv[1:]:\n"
        "    section, setting = name.split('.')\n"
        "    assert globals()[section].class_traits(config=True)[setting], name\n"
    )
    command = [str(hub_process.PYTHON), "-c", code, *used]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd="/")
    assert done.returncode == 0, done.stderr
