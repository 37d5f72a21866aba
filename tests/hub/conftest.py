"""The programs of the hub are beside its README, and not a package."""

import sys

from pages import ROOT

sys.path.insert(0, str(ROOT / "teaching" / "hub"))
