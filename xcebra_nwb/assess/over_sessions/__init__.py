"""Comparison over sessions and subjects: shares of units that carry a label, effect sizes, and whether they return."""
