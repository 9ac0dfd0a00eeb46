# Functions that all rules share.


def section(*names):
    """The sections of the config that a job reads; the job runs again when they change."""
    sections = CONFIG.model_dump(mode="json", include=set(names))
    sections.get("training", {}).pop("sessions_at_once", None)
    return sections


def row_of(wildcards):
    if wildcards.session not in TABLE:
        raise WorkflowError(f"{CONFIG.sessions}: no session {wildcards.session}")
    return TABLE[wildcards.session]


def source(wildcards):
    """The session's file if it exists or can be made; the command reports a missing one in one line."""
    row = row_of(wildcards)
    if row.asset_id:
        return [str(receipt("fetch")).format(session=row.session)]
    path = Path(row.source)
    return [path] if path.exists() or path.parent == SIMULATED else []


def source_path(wildcards):
    """The session's file, or the source.json that names its asset."""
    row = row_of(wildcards)
    return str(RESULTS / row.session / "source.json") if row.asset_id else row.source


def session_folder(wildcards, output):
    """The results folder of the session whose receipt is written."""
    return Path(output[0]).parents[1]


def receipt(command):
    return SESSION / "receipts" / f"{command}.json"


def log_of(command):
    return RESULTS / "logs" / "{session}" / f"{command}.log"


def data_memory(session):
    """MB: a few copies of the session's data."""
    row = TABLE[session]
    path = Path(row.source)
    size = (
        row.size or 0 if row.asset_id else path.stat().st_size if path.exists() else 0
    )
    megabytes = size / 1e6
    return int(min(4 * megabytes, 14000))


def session_memory(wildcards, attempt):
    """MB: the program and the session, estimated from the size of its file; more at every attempt."""
    return (2000 + data_memory(wildcards.session)) * attempt


def results_memory(wildcards, attempt):
    """MB: the program, the recording and all latents, by their sizes; more at every attempt."""
    measured = sizes.load(RESULTS / wildcards.session)
    if measured is None:
        return session_memory(wildcards, attempt)
    return (
        int(sizes.PROGRAM_MEGABYTES + sizes.session_megabytes(measured, CONFIG))
        * attempt
    )


def training_memory(wildcards, attempt):
    """MB: the results, and a step of training."""
    measured = sizes.load(RESULTS / wildcards.session)
    step = 0 if measured is None else int(sizes.step_megabytes(measured, CONFIG))
    return results_memory(wildcards, attempt) + step * attempt


def batch_memory(batch):
    """MB: the program, the sessions, and a training step of each; more at every attempt."""

    def memory(wildcards, attempt):
        return (2000 + sum(batch_part(session) for session in batch)) * attempt

    return memory


def batch_part(session):
    """MB: the part of one session in the training of a batch."""
    measured = sizes.load(RESULTS / session)
    if measured is None:
        return 500 + data_memory(session)
    return int(
        sizes.session_megabytes(measured, CONFIG)
        + sizes.step_megabytes(measured, CONFIG)
    )


def batch_runtime(batch):
    """Minutes: the time of the sessions one after the other; more at every attempt."""
    return lambda wildcards, attempt: 240 * len(batch) * attempt


def batch_name(batch):
    """The name of a batch in the path of its log."""
    return ALL_SESSIONS if CONFIG.training.together else batches.log_name(batch)


def receipt_folders(wildcards, output):
    """The results folders of the sessions whose receipts are written."""
    return [Path(path).parents[1] for path in output]


def threads_of_each(jobs):
    """The cores for each of ``jobs`` jobs that can run at the same time.

    A cluster has no number of cores to share: a job asks for one, or for those that `set-threads` of the profile says.
    Inside of a job on another machine, the cores are its own already, and nothing is divided again.
    """
    cores = workflow.resource_settings.cores  # `workflow.cores` raises without a number
    if workflow.is_main_process:
        return max(1, (cores or 1) // max(1, jobs))
    return max(
        1, min(cores or 1, int(os.environ.get("SLURM_CPUS_PER_TASK", cores or 1)))
    )


def wants_gpu():
    return 1 if CONFIG.training.device.startswith("cuda") else 0
