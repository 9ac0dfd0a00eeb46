# From the config and the archive to session.nc.


rule simulate:
    output:
        SIMULATED / "sub-simulated{seed}_ses-1.nwb",
    log:
        RESULTS / "logs/simulate/{seed}.log",
    wildcard_constraints:
        seed=r"\d+",
    group:
        job_name("simulate-{seed}")
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=fingerprint("simulate"),
    shell:
        "xcebra-nwb simulate --seed {wildcards.seed} -- {output:q} > {log:q} 2>&1"


rule fetch:
    output:
        receipt("fetch"),
    log:
        log_of("fetch"),
    group:
        job_name("{session}.fetch")
    resources:
        mem_mb=1000,
        runtime=minutes(240),
    params:
        table=CONFIG.sessions,
        asset=pinned_asset,
        directory=session_folder,
        how="--stream" if CONFIG.access == "stream" else "",
        code=fingerprint("fetch"),
    message:
        "{wildcards.session}: fetch"
    shell:
        "xcebra-nwb fetch --sessions={params.table:q} {params.how} -- {params.directory:q} > {log:q} 2>&1"


rule extract:
    input:
        source,
    output:
        receipt("extract"),
    log:
        log_of("extract"),
    group:
        ONE_JOB
    resources:
        mem_mb=session_memory,
        runtime=minutes(30),
    params:
        source=source_path,
        directory=session_folder,
        config=str(SETTINGS),
        settings=CONFIG.model_dump(mode="json", include=schema.EXTRACTION),
        code=fingerprint("extract"),
    message:
        "{wildcards.session}: extract"
    shell:
        "xcebra-nwb extract --config={params.config:q} --batch -- {params.source:q} {params.directory:q} > {log:q} 2>&1"
