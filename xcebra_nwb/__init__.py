"""Attribution maps of neural populations, from NWB files and back."""

import os

__version__ = "0.5.0"

# The products of MKL, which torch calls, depend on the number of threads on some processors unless it is told not to.
# It asks once, at its first product.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
