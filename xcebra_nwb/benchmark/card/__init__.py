"""What a graphics card does with the engine: speed, a long session, a step in parts, the largest stack, two processes.

``benchmarks/gpu_check.sh`` runs it. Each part is a process with a limit of its own. A part that crashes or hangs
leaves the others alone.
"""
