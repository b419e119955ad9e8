"""The version of gbearer, as a plain string that costs nothing to import."""

__version__ = "0.1.0"
