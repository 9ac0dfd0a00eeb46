# From session.nc to the maps and their verdicts.


TRAINING = dict(
    config=str(SETTINGS),
    settings=section("encoder", "objectives", "training", "random_seed"),
    code=fingerprint("train_together" if CONFIG.training.together else "train"),
)
TRAIN = "xcebra-nwb train --config={params.config:q} --threads {threads} --batch -- {params.directories:q} > {log:q} 2>&1"


rule train:
    input:
        receipt("extract"),
    output:
        receipt("train"),
    log:
        log_of("train"),
    group:
        "session"
    threads: threads_of_each(len(BATCHES))
    resources:
        mem_mb=training_memory,
        runtime=lambda wildcards, attempt: 240 * attempt,
        gpu=wants_gpu(),
    params:
        **TRAINING,
        directories=receipt_folders,
    message:
        "{wildcards.session}: train"
    shell:
        TRAIN


# Sessions that one job trains: in one process, or jointly in a shared latent space.
for number, batch in enumerate(batch for batch in BATCHES if len(batch) > 1):

    rule:
        name:
            f"train_{number + 1}"
        input:
            expand(receipt("extract"), session=batch),
        output:
            expand(receipt("train"), session=batch),
        log:
            RESULTS / "logs" / batch_name(batch) / "train.log",
        threads: threads_of_each(len(BATCHES))
        resources:
            mem_mb=batch_memory(batch),
            runtime=batch_runtime(batch),
            gpu=wants_gpu(),
        params:
            **TRAINING,
            directories=receipt_folders,
        message:
            "train {params.directories}"
        shell:
            TRAIN

    workflow.ruleorder(f"train_{number + 1}", "train")


rule attribute:
    input:
        receipt("train"),
    output:
        receipt("attribute"),
    log:
        log_of("attribute"),
    group:
        "session"
    threads: threads_of_each(len(TABLE))
    resources:
        mem_mb=results_memory,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=wants_gpu(),
    params:
        directory=session_folder,
        config=str(SETTINGS),
        settings=section("attribution"),
        code=fingerprint("attribute"),
    message:
        "{wildcards.session}: attribute"
    shell:
        "xcebra-nwb attribute --config={params.config:q} --threads {threads} --batch -- {params.directory:q} > {log:q} 2>&1"


rule assess:
    input:
        receipt("attribute"),
    output:
        receipt("assess"),
    log:
        log_of("assess"),
    group:
        "session"
    resources:
        mem_mb=results_memory,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        directory=session_folder,
        code=fingerprint("assess"),
    message:
        "{wildcards.session}: assess"
    shell:
        "xcebra-nwb assess --batch -- {params.directory:q} > {log:q} 2>&1"
