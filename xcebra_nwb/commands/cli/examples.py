"""Examples that ``--help`` of each command shows below its options."""

from __future__ import annotations

from collections.abc import Sequence

SESSION = "OUT/sub-1_ses-1"
RESULT = f"{SESSION}/sub-1_ses-1_desc-xcebra.nwb"
EXAMPLES: dict[str, tuple[str, ...]] = {
    "discover": ("data -o config/sessions.tsv", "DANDI:000207/0.220216.0323 --max-size 2", "--update"),
    "fetch": (f"{SESSION} --sessions OUT/sessions.tsv", f"{SESSION} --sessions OUT/sessions.tsv --stream"),
    "inspect": ("data/sub-1_ses-1.nwb", "data/sub-1_ses-1.nwb --config > my.yaml", "data --table recordings.tsv"),
    "simulate": ("data/sub-1_ses-1.nwb", "data/sub-2_ses-1.nwb --seed 1 --duration 7200 --cells 75"),
    "extract": (f"data/sub-1_ses-1.nwb {SESSION}", f"data/sub-1_ses-1.nwb {SESSION} -c my.yaml"),
    "preview": (f"{SESSION} -c my.yaml", f"{SESSION} -c my.yaml --json"),
    "train": (f"{SESSION} -c my.yaml --threads 2", "OUT/sub-1_ses-1 OUT/sub-2_ses-1 -c my.yaml --together"),
    "align": ("OUT/sub-3_ses-1 --to OUT/sub-1_ses-1 --to OUT/sub-2_ses-1",),
    "attribute": (f"{SESSION} -c my.yaml",),
    "assess": (SESSION,),
    "write": (f"data/sub-1_ses-1.nwb {SESSION}",),
    "check": (f"data/sub-1_ses-1.nwb {SESSION}",),
    "verify": (f"{RESULT} --source data/sub-1_ses-1.nwb --plan", f"{RESULT} --source data/sub-1_ses-1.nwb"),
    "report": (SESSION,),
    "summarize": ("--results OUT --sessions OUT/sessions.tsv",),
    "compare": ("OUT --by region", "OUT OTHER --by subject --label position -o position.csv --figure position.pdf"),
    "run": (
        *("data -o OUT --cores 2", "data -o OUT -c tiny", "DANDI:000207/0.220216.0323 -o OUT -c my.yaml --cores 8"),
        *("data -o OUT --profile slurm", "data -o OUT --cache s3://our-lab/xcebra --dry-run"),
    ),
    "status": ("OUT", "OUT --json"),
    "watch": ("OUT", "OUT --open"),
    "figure": (
        "OUT --label position -o position.pdf",
        "OUT --label speed --panels map,tuning --size single -o speed.svg",
    ),
    "methods": ("OUT", "OUT --session sub-1_ses-1"),
    "publish": (
        '-o dandiset --results OUT --sessions OUT/sessions.tsv --contact "Doe, Jane <jane@example.org>"',
        '-o dandiset --contact "Doe, Jane <jane@example.org>" --upload --dandiset 214527',
    ),
    "tune": ("OUT/sub-1_ses-1 -o OUT/tuning", "OUT/sub-1_ses-1 OUT/sub-2_ses-1 -c my.yaml -o OUT/tuning --trials 10"),
    "benchmark": ("synthetic --quick", "ratinabox -o OUT --cores 2"),
    "doctor": ("", "--offline --no-train", "--json"),
}


def shown(command: str) -> Sequence[str]:
    """Return the examples of a command as whole lines.

    >>> shown("assess")
    ['xcebra-nwb assess OUT/sub-1_ses-1']
    """
    return [f"xcebra-nwb {command} {arguments}".rstrip() for arguments in EXAMPLES[command]]


def epilog(command: str) -> str:
    """Return the text below the options of a command; every paragraph is a line."""
    return "\n\n".join(["Examples:", *shown(command)])
