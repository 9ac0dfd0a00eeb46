"""Figures and pages: what a session, and a run of sessions, shows to people."""
