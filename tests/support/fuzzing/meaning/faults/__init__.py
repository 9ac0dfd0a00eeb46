"""The kinds of faults; importing this package registers them."""

from tests.support.fuzzing.meaning.fault import FAULTS as FAULTS
from tests.support.fuzzing.meaning.faults import of_layout, of_tables, of_times, of_units, of_values

__all__ = ["FAULTS", "of_layout", "of_tables", "of_times", "of_units", "of_values"]
