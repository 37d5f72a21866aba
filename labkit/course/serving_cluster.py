"""Start Ray on this machine, run what `serve.yaml` in a folder says, and follow its changes.

`serving.start_cluster` starts this program in a process of its own. On a cluster of many machines
`ray start` and `serve deploy serve.yaml` do the same.
"""

import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
FILE = "serve.yaml"
# Read while ray is imported, and by all processes that it starts.
SETTINGS = {
    "RAY_AUTH_MODE": "disabled",  # nothing but this machine reaches it
    "RAY_USAGE_STATS_ENABLED": "0",
    "SPT_NOENV": "1",  # processes keep their environment, by which they are found again
}
_TRIES = 5  # a part of Ray ends if another one takes 15 s to start, as on a busy machine
_SECONDS_BETWEEN_LOOKS = 0.2


def start(tries: int = _TRIES) -> None:
    """Start a cluster of this machine alone; end this program if Ray does not start."""
    os.environ.update(SETTINGS)
    os.environ.pop("RAY_ADDRESS", None)  # not a cluster that runs already
    import ray

    for _ in range(tries):
        try:
            ray.init(
                "local",
                num_cpus=2,  # it starts so many processes at once
                include_dashboard=False,
                log_to_driver=False,
                object_store_memory=100 * 2**20,
                _node_ip_address=HOST,
            )
            return
        except Exception:  # it raises no kind of its own
            traceback.print_exc()
            ray.shutdown()
    sys.exit(f"Ray did not start, in {tries} tries.")


def follow(folder: Path, port: int) -> None:
    """Deploy what the file says as soon as it is there, and again whenever it changes."""
    import yaml
    from ray import serve
    from ray.serve._private.api import serve_start  # as `serve run serve.yaml` does
    from ray.serve.schema import ServeDeploySchema

    client = serve_start(http_options={"host": HOST, "port": port})
    file = folder / FILE
    deployed = told = ""
    while True:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if text != deployed:
            client.deploy_apps(ServeDeploySchema.model_validate(yaml.safe_load(text)))
            deployed = text
        words = _what_is_wrong(serve.status())
        if words != told:
            print(words)
            told = words
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _what_is_wrong(status: Any) -> str:
    """Return what Ray says of applications that do not run as they should."""
    messages = []
    for name, application in status.applications.items():
        if application.status in ("DEPLOY_FAILED", "UNHEALTHY"):
            messages.append(f"{name}: {application.message}")
    return "\n".join(messages)


def main(folder: Path) -> None:
    """Start the cluster, and follow the file for ever."""
    # Of this program, and of the processes that import the application.
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    start()
    follow(folder, int(os.environ["PORT"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
