"""Serve a model with Ray Serve, two replicas on this machine; `serving.py` starts this program.

FOLDER holds the versions of the model as SavedModels, `1`, `2` and so on, and the note `current`
with the number of the one that shall answer. Another number there starts a rolling update; the note
`served` has the number that all replicas answer with.

    PORT=8000 WORKERS=folder python serve_with_ray.py FOLDER
"""

import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

# All of this is read while ray is imported, and by the processes that it starts.
os.environ.pop("RAY_ADDRESS", None)  # not a cluster that runs already
os.environ["RAY_AUTH_MODE"] = "disabled"  # nothing but this machine reaches it
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["SPT_NOENV"] = "1"  # processes keep their environment, by which they are found again

import numpy as np
import ray
from ray import serve

ROW = (1, 20)
REPLICAS = 2
TRIES = 6  # Ray gives up after half a minute, which is too little for a busy machine


@serve.deployment(
    num_replicas=REPLICAS, max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.5}
)
class Service:
    """Answer rows with the score, and with the version that gave it."""

    def __init__(self, folder: str):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self.folder = folder
        self.current: tuple[int, Any] = (0, None)

    def reconfigure(self, config: dict[str, int]) -> None:
        """Load a version; Ray calls this at the start, and for each update of `user_config`."""
        import tensorflow as tf

        model = tf.saved_model.load(str(Path(self.folder, str(config["version"]))))
        model.serve(np.zeros(ROW, np.float32))
        self.current = config["version"], model
        Path(os.environ["WORKERS"], str(os.getpid())).touch()

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.002)
    async def answer(self, rows: list[Any]) -> list[dict[str, Any]]:
        """Answer a batch with one call and one version."""
        version, model = self.current
        scores = np.asarray(model.serve(np.asarray(rows, np.float32)))[:, 0]
        return [{"version": version, "score": float(score)} for score in scores]

    async def __call__(self, request: Any) -> Any:
        """Answer one request over HTTP."""
        return await self.answer((await request.json())["row"])


def start(folder: Path) -> None:
    """Start a cluster of this machine alone."""
    for left in reversed(range(TRIES)):
        try:
            ray.init(
                address="local",
                num_cpus=REPLICAS,  # it starts so many processes at once
                include_dashboard=False,
                object_store_memory=200 * 2**20,
                log_to_driver=False,
                _node_ip_address="127.0.0.1",
                _temp_dir=str(folder / "ray"),
            )
            return
        except Exception:  # it raises no kind of its own
            if not left:
                raise
            traceback.print_exc()
            ray.shutdown()


def deploy(folder: Path, version: int) -> bool:
    """Bring all replicas to a version; return whether that has succeeded."""
    service = Service.options(user_config={"version": version})  # type: ignore[attr-defined]
    try:
        serve.run(service.bind(str(folder)), route_prefix="/predict")
    except Exception:  # such as replicas that die during an update: the next try finishes it
        traceback.print_exc()
        return False
    return True


def main(folder: Path) -> None:
    """Start the cluster, and follow the note for ever."""
    start(folder)
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])},
        logging_config={"enable_access_log": False},
    )
    served = 0
    while True:
        version = int((folder / "current").read_text())
        if version != served and deploy(folder, version):
            served = version
            (folder / "served").write_text(str(version))
        time.sleep(0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
