"""Fuzzing by meaning: files that can be read, and say something wrong.

``python -m tests.support.fuzzing.meaning --count 300 --seed 1`` injects one fault into each of 300 small recordings.
"""
