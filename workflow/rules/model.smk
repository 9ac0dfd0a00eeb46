# From session.nc to the maps and their verdicts.


if CONFIG.training.together:

    rule train:
        input:
            expand(receipt("extract"), session=TABLE),
        output:
            expand(receipt("train"), session=TABLE),
        log:
            RESULTS / "logs" / TOGETHER / "train.log",
        benchmark:
            RESULTS / "benchmarks" / TOGETHER / "train.tsv"
        threads: workflow.cores or 1
        resources:
            mem_mb=joint_memory,
            runtime=lambda wildcards, attempt: 240 * max(1, len(TABLE)) * attempt,
            gpu=wants_gpu(),
        params:
            directories=lambda wildcards, output: [
                Path(one).parents[1] for one in output
            ],
            config=str(SETTINGS),
            settings=section("encoder", "objectives", "training", "random_seed"),
            code=fingerprint("train_together"),
        message:
            "train {params.directories} together"
        shell:
            "xcebra-nwb train {params.directories:q} --config {params.config:q} --threads {threads} --batch > {log} 2>&1"

else:

    rule train:
        input:
            receipt("extract"),
        output:
            receipt("train"),
        log:
            log_of("train"),
        benchmark:
            benchmark_of("train")
        group:
            "session"
        threads: session_threads()
        resources:
            mem_mb=training_memory,
            runtime=lambda wildcards, attempt: 240 * attempt,
            gpu=wants_gpu(),
        params:
            directory=session_folder,
            config=str(SETTINGS),
            settings=section("encoder", "objectives", "training", "random_seed"),
            code=fingerprint("train"),
        message:
            "{wildcards.session}: train"
        shell:
            "xcebra-nwb train {params.directory:q} --config {params.config:q} --threads {threads} --batch > {log} 2>&1"


rule attribute:
    input:
        receipt("train"),
    output:
        receipt("attribute"),
    log:
        log_of("attribute"),
    benchmark:
        benchmark_of("attribute")
    group:
        "session"
    threads: session_threads()
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
        "xcebra-nwb attribute {params.directory:q} --config {params.config:q} --threads {threads} --batch > {log} 2>&1"


rule assess:
    input:
        receipt("attribute"),
    output:
        receipt("assess"),
    log:
        log_of("assess"),
    benchmark:
        benchmark_of("assess")
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
        "xcebra-nwb assess {params.directory:q} --batch > {log} 2>&1"
