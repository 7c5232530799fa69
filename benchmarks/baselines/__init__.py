"""Raw servers to compare with: the same libraries, loop and codec, without an application."""
