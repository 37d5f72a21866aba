"""Right answers to the exercises of lesson 07, in other styles than those of the solutions."""

import tensorflow as tf


def scans(batch):
    return tf.scan(tf.maximum, batch)


RIGHT = [("07.5", "scans", scans)]
