"""Send real architectures and hand-made models of every kind through lesson 11's code; each must get its report.

A program, not a test: about 20 minutes. Ten architectures of keras.applications without weights and with small
pictures, and the hand-made models of this file; the exit status is 1 when one of them ends in a traceback, gets no
report, or overdraws its time budget by more than half. Run it from the root: ``python tools/benchmarks/own_models.py``.
"""

import argparse
import math
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    return keras.Model(
        word, keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Embedding(4, 3)(place)))
    )


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
    return keras.Model(
        picture, keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(4, 3)(picture))
    )


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

    return keras.Sequential(
        [keras.Input((8,), dtype="float16"), keras.layers.Dense(3, dtype="float16")]
    )


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
    return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)


def main(arguments: list[str]) -> int:
    """Run all of them, or those named; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join([*ARCHITECTURES, *HAND_MADE])}")
    parser.add_argument(
        "--budget", type=float, default=90.0, help="seconds for each model (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    makers = {name: lambda name=name: architecture(name) for name in ARCHITECTURES} | HAND_MADE
    if unknown := set(options.names) - set(makers):
        parser.error(f"no such model: {', '.join(sorted(unknown))}")

    import labkit as lab

    print(lab.setup())
    from labkit import own_model

    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or makers:
            report = Path(folder) / "report.html"
            report.unlink(missing_ok=True)
            begin = time.monotonic()
            try:
                d = own_model.diagnose(
                    makers[name](),
                    batches=[1, 8],
                    budget=options.budget,
                    report_to=report,
                    progress=False,
                )
            except Exception:
                traceback.print_exc()
                bad += 1
                continue
            wrong = not report.exists() or d.seconds > 1.5 * options.budget
            bad += wrong
            ms = {n: f"{1e3 * m.value:.3g}" for n, m in d.medians.items()}
            first = {r.name: f"{r.first_call:.1f}" for r in d.ladder if math.isfinite(r.first_call)}
            print(
                f"{'BAD ' * wrong}{name}: {time.monotonic() - begin:.0f} s, best {d.best}; ms {ms}; first s {first}"
            )
            for rung, why in d.refused.items():
                print(f"    {rung}: {why}")
    print(f"{bad} of {len(options.names or makers)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
