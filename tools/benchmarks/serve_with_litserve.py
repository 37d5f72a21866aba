"""Serve a model with LitServe, two workers; `serving.py` starts this program.

FOLDER holds the versions of the model as SavedModels, `1`, `2` and so on, and the note `current`
with the number of the one that answers. A worker looks at the note before each call.

    PORT=8000 WORKERS=folder python serve_with_litserve.py FOLDER
"""

import os
import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np

ROW = (1, 20)


class Service(litserve.LitAPI):
    """Answer rows with the score, and with the version that gave it."""

    def __init__(self, folder: Path):
        super().__init__(max_batch_size=32, batch_timeout=0.002)
        self.folder = folder
        self.version = 0
        self.model: Any = None

    def setup(self, device: str) -> None:
        """Load the model in the worker, and announce it."""
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self.follow_the_note()
        Path(os.environ["WORKERS"], str(os.getpid())).touch()

    def follow_the_note(self) -> None:
        """Load the current version, unless this worker has it."""
        version = int((self.folder / "current").read_text())
        if version != self.version:
            import tensorflow as tf

            model = tf.saved_model.load(str(self.folder / str(version)))
            model.serve(np.zeros(ROW, np.float32))
            self.version, self.model = version, model

    def decode_request(self, request: dict[str, Any]) -> Any:
        """Return the row of a request."""
        return np.asarray(request["row"], np.float32)

    def predict(self, batch: Any) -> list[dict[str, Any]]:
        """Answer a batch with one call and one version."""
        self.follow_the_note()
        scores = np.asarray(self.model.serve(batch))[:, 0]
        return [{"version": self.version, "score": float(score)} for score in scores]


if __name__ == "__main__":
    server = litserve.LitServer(
        Service(Path(sys.argv[1])), accelerator="cpu", workers_per_device=2, restart_workers=True
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        log_level="warning",
        api_server_worker_type="thread",  # else requests of a dead worker wait for their client
        generate_client_file=False,
    )
