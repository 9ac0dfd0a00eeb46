# From the results to files and pages for others.


rule write:
    input:
        receipt=receipt("assess"),
        source=source,
    output:
        receipt("write"),
    log:
        log_of("write"),
    priority: 4
    group:
        ONE_JOB
    resources:
        mem_mb=session_memory,
        runtime=minutes(30),
    params:
        source=source_path,
        directory=session_folder,
        code=fingerprint("write"),
    message:
        "{wildcards.session}: write"
    shell:
        "xcebra-nwb write --batch -- {params.source:q} {params.directory:q} > {log:q} 2>&1"


rule check:
    input:
        receipt=receipt("write"),
        source=source,
    output:
        receipt("check"),
    log:
        log_of("check"),
    priority: 5
    group:
        ONE_JOB
    resources:
        mem_mb=session_memory,
        runtime=minutes(30),
    params:
        source=source_path,
        directory=session_folder,
        code=fingerprint("check"),
    message:
        "{wildcards.session}: check"
    shell:
        "xcebra-nwb check --batch -- {params.source:q} {params.directory:q} > {log:q} 2>&1"


rule report:
    input:
        receipt("check"),
    output:
        receipt("report"),
    log:
        log_of("report"),
    priority: 6
    group:
        ONE_JOB
    resources:
        mem_mb=results_memory,
        runtime=minutes(30),
    params:
        directory=session_folder,
        code=fingerprint("report"),
    message:
        "{wildcards.session}: report"
    shell:
        "xcebra-nwb report --batch -- {params.directory:q} > {log:q} 2>&1"


rule summarize:
    input:
        receipts=expand(receipt("report"), session=TABLE),
        table=CONFIG.sessions,
    output:
        page=report(
            RESULTS / "summary.html",
            caption="../report/summary.rst",
            category="Summary",
        ),
        atlas=RESULTS / "atlas.parquet",
    log:
        RESULTS / "logs/summarize.log",
    group:
        job_name("summary")
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        results=lambda wildcards, output: Path(output.page).parent,
        code=fingerprint("summarize"),
    shell:
        "xcebra-nwb summarize --results={params.results:q} --sessions={input.table:q} > {log:q} 2>&1"
