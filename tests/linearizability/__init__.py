"""One task as a register: what many clients saw of it must be linearizable."""
