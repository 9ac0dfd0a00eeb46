# So that `snakemake` works from the root of the repository; an include resets the default target.
include: "workflow/Snakefile"


workflow.default_target = "all"
