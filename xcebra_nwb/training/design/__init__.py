"""Decide what is trained, without torch: split, objectives, null labels, ensemble members and samples."""
