"""Diagnose real architectures and hand-made models of every kind; each must get its report.

A program, not a test: about 20 minutes. The models are ten architectures of keras.applications with
random weights, for small pictures, and the hand-made models of this file. The exit status is 1 if
one of them raises an error, gets no report, or takes more than one and a half times its budget. Run
it from the root of the project: ``python tools/benchmarks/own_models.py``.
"""

import argparse
import functools
import math
import sys
import tempfile
import traceback
from collections.abc import Callable
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
    parser.add_argument("names", nargs="*", help=f"of {', '.join(makers)}")
    parser.add_argument(
        "--budget", type=float, default=90.0, help="seconds for each model (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    names = options.names or list(makers)
    unknown = sorted(set(names) - set(makers))
    if unknown:
        parser.error(f"no such model: {', '.join(unknown)}")

    import labkit as lab

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
