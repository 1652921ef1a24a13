"""Makes one self-contained web page of a results file."""
VERSION = "0.1.0"
