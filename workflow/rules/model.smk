# From session.nc to the maps and their verdicts. Later commands go first, so that sessions are finished one by one.


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
    priority: 1
    group:
        CARD_JOB
    threads: threads_of_each(len(BATCHES))
    resources:
        **card(),
        mem_mb=training_memory,
        runtime=minutes(240),
    params:
        **TRAINING,
        directories=receipt_folders,
    message:
        "{wildcards.session}: train"
    shell:
        TRAIN


for name, batch in BATCH_RULES.items():

    rule:
        name:
            name
        input:
            expand(receipt("extract"), session=batch),
        output:
            expand(receipt("train"), session=batch),
        log:
            RESULTS / "logs" / batch_name(batch) / "train.log",
        priority: 1
        group:
            job_name(batch_name(batch))
        threads: threads_of_each(len(BATCHES))
        resources:
            **card(),
            mem_mb=batch_memory(batch),
            runtime=batch_runtime(batch),
        params:
            **TRAINING,
            directories=receipt_folders,
        message:
            "train {params.directories}"
        shell:
            TRAIN

    workflow.ruleorder(name, "train")


rule attribute:
    input:
        receipt("train"),
    output:
        receipt("attribute"),
    log:
        log_of("attribute"),
    priority: 2
    group:
        CARD_JOB
    threads: threads_of_each(len(TABLE))
    resources:
        **card(),
        mem_mb=results_memory,
        runtime=minutes(60),
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
    priority: 3
    group:
        ONE_JOB
    resources:
        mem_mb=results_memory,
        runtime=minutes(60),
    params:
        directory=session_folder,
        code=fingerprint("assess"),
    message:
        "{wildcards.session}: assess"
    shell:
        "xcebra-nwb assess --batch -- {params.directory:q} > {log:q} 2>&1"
