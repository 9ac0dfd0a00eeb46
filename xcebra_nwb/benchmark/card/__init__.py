"""The proof of the code of a graphics card, part by part; ``benchmarks/gpu_check.sh`` runs it."""
