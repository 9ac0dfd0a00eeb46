"""The commands of ``xcebra-nwb``, by what they are."""

RULES = ("extract", "train", "attribute", "assess", "write", "check", "report", "summarize", "simulate", "fetch")
COMMANDS = (
    *RULES,
    *("align", "discover", "run", "status", "watch", "inspect", "benchmark", "tune", "verify", "publish"),
    *("figure", "methods", "preview", "doctor", "compare"),
)
WITH_TORCH = {"train", "align", "attribute", "verify", "tune", "doctor"}  # loading torch takes a second
