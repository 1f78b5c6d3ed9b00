"""A test Hub: the Hugging Face Hub's HTTP interface on loopback, with faults on demand."""

from .server import TestHub

__all__ = ["TestHub"]
