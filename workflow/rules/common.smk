# Functions that all rules share.


def known(function):
    """The same function; its arguments are looked up once. Snakemake asks for those of a rule some ten times a job."""
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function


def section(*names):
    """The sections of the config that a job reads; the job runs again when they change."""
    sections = CONFIG.model_dump(mode="json", include=set(names))
    sections.get("training", {}).pop("sessions_at_once", None)
    return sections


def row_of(wildcards):
    if wildcards.session not in TABLE:
        raise WorkflowError(f"{CONFIG.sessions}: no session {wildcards.session}")
    return TABLE[wildcards.session]


@known
def source(wildcards):
    """The session's file if it exists or can be made; the command reports a missing one in one line."""
    row = row_of(wildcards)
    if row.asset_id:
        return [str(receipt("fetch")).format(session=row.session)]
    path = Path(row.source)
    return [path] if path.exists() or path.parent == SIMULATED else []


@known
def pinned_asset(wildcards):
    """The columns of an asset's row by which it is fetched."""
    columns = {"source", "asset_id", "size", "sha256", "etag"}
    return row_of(wildcards).model_dump(include=columns)


@known
def source_path(wildcards):
    """The session's file, or the source.json that names its asset."""
    row = row_of(wildcards)
    return str(RESULTS / row.session / "source.json") if row.asset_id else row.source


@known
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


def times_more(sessions, attempt):
    """Factors of the memory and the time of a job: 1, and one more for each time that the want of it ended a job.

    Where nobody knows why a job was killed, one more of both. A command that ended with an error asks for no more.
    """
    if not workflow.is_main_process:
        return 1, 1  # the job has what it has
    kills = [HISTORY.kills(session, attempt) for session in sessions]
    unknown = min(attempt - 1, max(kill.unknown for kill in kills))
    memory, time = max(kill.memory for kill in kills), max(kill.time for kill in kills)
    return 1 + memory + unknown, 1 + time + unknown


def minutes(number):
    """The time limit of a job for one session, in minutes."""

    @known
    def runtime(wildcards, attempt):
        _, factor = times_more([wildcards.session], attempt)
        return number * factor

    return runtime


@known
def session_memory(wildcards, attempt):
    """MB: the program and the session, estimated from the size of its file."""
    factor, _ = times_more([wildcards.session], attempt)
    return (2000 + data_memory(wildcards.session)) * factor


@known
def results_memory(wildcards, attempt):
    """MB: the program, the recording and all latents, by their sizes."""
    measured = sizes.load(RESULTS / wildcards.session)
    if measured is None:
        return session_memory(wildcards, attempt)
    factor, _ = times_more([wildcards.session], attempt)
    return (
        int(sizes.PROGRAM_MEGABYTES + sizes.session_megabytes(measured, CONFIG))
        * factor
    )


@known
def training_memory(wildcards, attempt):
    """MB: the results, and a step of training."""
    measured = sizes.load(RESULTS / wildcards.session)
    step = 0 if measured is None else int(sizes.step_megabytes(measured, CONFIG))
    factor, _ = times_more([wildcards.session], attempt)
    return results_memory(wildcards, attempt) + step * factor


def batch_memory(batch):
    """MB: the program, the sessions, and a training step of each."""

    @known
    def memory(wildcards, attempt):
        factor, _ = times_more(batch, attempt)
        return (2000 + sum(batch_part(session) for session in batch)) * factor

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
    """Minutes: the time of the sessions one after the other."""

    @known
    def runtime(wildcards, attempt):
        _, factor = times_more(batch, attempt)
        return 240 * len(batch) * factor

    return runtime


def batch_name(batch):
    """The name of a batch in the path of its log."""
    return ALL_SESSIONS if CONFIG.training.together else batches.log_name(batch)


@known
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


# Jobs are named by their group. The mark of the results tells them from those of other runs.
MARK_OF_RESULTS = slurm_jobs.mark(RESULTS)


def job_name(name):
    return f"{name}@{MARK_OF_RESULTS}"


ON_CARD = CONFIG.training.device.startswith("cuda")
ONE_JOB = job_name("{session}")  # the commands of a session, one after the other
# What needs a card is a job of its own, so that the other commands do not hold one.
CARD_JOB = job_name("{session}.card") if ON_CARD else ONE_JOB


def card():
    """The resources of a job that uses a card; `gpu_partition` is one of the default resources of a profile."""
    if not ON_CARD:
        return {}  # to some executors, 0 cards are cards
    partition = (workflow.resource_settings.default_resources or {}).get(
        "gpu_partition"
    )
    return dict(
        gpu=1,
        **({} if partition is None else {"slurm_partition": str(partition.raw)}),
    )


# Sessions that one job trains: in one process, or jointly in a shared latent space.
BATCH_RULES = {
    f"train_{number}": batch
    for number, batch in enumerate(
        (batch for batch in BATCHES if len(batch) > 1), start=1
    )
}
# What a profile sets for `train` holds for them, too; before the first rule, since Snakemake reads it only once.
for setting in (
    workflow.resource_settings.overwrite_resources,
    workflow.resource_settings.overwrite_threads,
):
    if "train" in setting:
        setting.update({name: setting["train"] for name in BATCH_RULES} | dict(setting))
