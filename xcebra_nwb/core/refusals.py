"""The catalogue of refusals: a stable code for each reason, its meaning, and what would help.

``docs/reference/refusals.md`` is generated from it (``make docs``). Receipts, status.json and the summary carry the
codes.
"""

from __future__ import annotations

from enum import StrEnum

HEADER = """# Refusals

A session is *refused* if its data cannot answer the question. A refusal is a result, not an error: the other sessions
go on, the workflow ends well, and the reason is kept. (A *failure* is an error of the software or the machine.) Every
refusal is one line: what is wrong, where in the file, and what would help.

Every refusal has a code that stays the same from version to version, so the refusals of many sessions can be counted.
On the terminal the code is at the end of the line. It is also the key `code` in `receipts/<command>.json` and
`status.json`, and it is in the summary.

This page is generated from `xcebra_nwb/core/refusals.py` by `make docs`.

| code | what it means | what helps |
|---|---|---|
"""


class Code(StrEnum):
    """The reason of a refusal.

    A code that has been released keeps its name and its meaning.

    Attributes:
        means: The reason in words, for the catalogue.
        helps: What would help, for the catalogue.
    """

    means: str
    helps: str

    def __new__(cls, code: str, means: str, helps: str) -> Code:
        """Make the member whose value is ``code``."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.means, member.helps = means, helps
        return member

    NOT_NWB = (
        "not-nwb",
        "The file is not NWB: neither HDF5 nor Zarr, no `nwb_version`, or a root that is no NWBFile.",
        "Give an NWB file; check that the download is not a web page.",
    )
    NWB_1 = ("nwb-1", "The file is NWB 1.x, another format.", "Convert it to NWB 2 with MatNWB or pynwb.")
    DAMAGED = (
        "damaged",
        "The file is truncated, encrypted or damaged, at least where its data are needed.",
        "Download or copy it again and compare its size or digest; name other data in the config.",
    )
    LEADS_ELSEWHERE = (
        "leads-elsewhere",
        "The file keeps some of its data in another file. Such links are never followed in a file of an archive or an "
        "address. In a local file they are followed only inside its own folder.",
        "Take a file that contains all its data. If you trust a local file, copy the files that it names beside it, or "
        "give `--follow-links`.",
    )
    OUT_OF_BOUNDS = (
        "out-of-bounds",
        "The file has more objects, nested groups or attributes, or a longer text, than any recording has.",
        "Ask who made the file: it was made by mistake, or to do harm.",
    )
    UNKNOWN_CODEC = (
        "unknown-codec",
        "Values are stored with a filter or compressor that is not installed, or is none of the well-known ones.",
        "Install `hdf5plugin` if the line says that it helps. Otherwise store the values with another filter "
        "(`h5repack`).",
    )
    UNREADABLE_LAYOUT = (
        "unreadable-layout",
        "Data in the file are ambiguous: lengths that differ, no numbers, or no sampling rate.",
        "Repair the object that the line names, or name another one in the config.",
    )
    CONFIG_DOES_NOT_FIT = (
        "config-does-not-fit",
        "The config names something that this file does not have. With a single file this is a usage error instead.",
        "Take the path from the candidates in the line, or from `xcebra-nwb inspect`.",
    )
    NO_NEURONS = (
        "no-neurons",
        "Nothing in the file is neural activity that `auto` would take.",
        "Name a source that is listed: `neural: {source: /path/in/the/file}`.",
    )
    SEVERAL_NEURAL_SOURCES = (
        "several-neural-sources",
        "Several objects could be the neural activity, and a choice between them would be a guess.",
        "Name one of them, or several to be used together, in `neural.source`.",
    )
    NO_SPIKES = (
        "no-spikes",
        "The units table has no spike times that can be used.",
        "Name another source in `neural.source`.",
    )
    TOO_FEW_UNITS = (
        "too-few-units",
        "After the selection of units, too few are left for a population.",
        "Lower `neural.min_spikes` or `neural.min_coverage`, loosen `neural.where`, or leave the session out.",
    )
    NO_LABEL = (
        "no-label",
        "The file has no behaviour that `auto` takes: no position, direction, speed or well-balanced trials.",
        "Name the behaviour in `labels`; `xcebra-nwb inspect` lists every series and column.",
    )
    LABEL_EMPTY = ("label-empty", "A label has no value that can be used.", "Name another source in `labels`.")
    LABEL_CONSTANT = (
        "label-constant",
        "A label has the same value throughout, or in all usable bins.",
        "Name another label, or widen `time.within`.",
    )
    LABEL_TOO_SLOW = (
        "label-too-slow",
        "A label is sampled so rarely that values between its samples would be guesses.",
        "Raise `time.max_gap` or `time.bin_width` if the label changes slowly, or name another one.",
    )
    LABEL_TOO_FEW_VALUES = (
        "label-too-few-values",
        "A label has too few values, or a class too few bins, in the training part.",
        "Leave it out, set `kind: discrete` if its values are classes, or widen `time.within`.",
    )
    LABEL_NOT_DERIVABLE = (
        "label-not-derivable",
        "`derive` is not possible with these data: positions are not along a line, or a band is above half the rate.",
        "Give what it needs (`track`, a lower `band`), or name another source.",
    )
    UNIT_NOT_TRUSTED = (
        "unit-not-trusted",
        "The values of a label cannot have the unit that the file gives: degrees called radians, or the reverse.",
        "Give the right one in `labels: {name: {source: ..., unit: degrees}}`.",
    )
    TIMES_NOT_TRUSTED = (
        "times-not-trusted",
        "Times of an object cannot be right: none is finite, the clock starts again, some lie years away, or they are "
        "frame numbers, milliseconds or rounded.",
        "Repair the timestamps as the line says, or name another source; for absurd times among others, name the times "
        "to use in `time.within: [start, stop]`.",
    )
    NO_COMMON_TIME = (
        "no-common-time",
        "Neural activity and labels were never recorded at the same time, by the file's own clock.",
        "Check units and clocks with `xcebra-nwb inspect`; name labels of the same part of the session.",
    )
    NO_USABLE_BIN = (
        "no-usable-bin",
        "Every bin is masked: not observed, invalid, or without a label.",
        "Read which masks take how many bins; choose other labels, raise `time.max_gap`, lower `neural.min_coverage`.",
    )
    TOO_SHORT = (
        "too-short",
        "There are fewer usable bins than training needs.",
        "Give a longer recording, lower `training.batch_size` or `time.bin_width`, hold out less.",
    )
    BROKEN_UP = (
        "broken-up",
        "The usable bins lie in stretches that are too short for a window or for a step between samples.",
        "Use bins of another width, `encoder.architecture: mlp`, a smaller offset or delta, a larger `time.max_gap`.",
    )
    TOO_MANY_LATENTS = (
        "too-many-latents",
        "The labels ask for more latents than there are units to carry them.",
        "Lower `encoder.outputs` and the blocks, name fewer labels, or keep more units.",
    )
    NOT_IN_ONE_SPACE = (
        "not-in-one-space",
        "The session's labels do not mean the same as those of the sessions with which it should share a latent space.",
        "Give them the same names, kinds, units and axes, or train the session alone.",
    )
    NOTHING_DONE = (
        "nothing-done",
        "There is no finished session to work on.",
        "Run the workflow first, and read how its sessions ended and why.",
    )


def page() -> str:
    """Return the text of ``docs/reference/refusals.md``."""
    return HEADER + "".join(f"| `{code}` | {code.means} | {code.helps} |\n" for code in Code)
