"""Layouts of well-known dandisets in small files, and the labels that a neuroscientist would take from each."""
