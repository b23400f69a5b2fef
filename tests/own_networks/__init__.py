"""Networks as users bring them, tried by ``--from`` from a folder that is not this one."""
