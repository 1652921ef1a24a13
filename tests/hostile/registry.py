"""Broken files by name: each with the function that makes it and the words of its message."""


def new():
    """(entries, decorator): entries maps a name to (build, words); the decorator adds one."""
    entries = {}

    def broken(name, *words):
        def register(build):
            if name in entries:
                raise ValueError(f"{name} twice")
            entries[name] = (build, words)
            return build
        return register
    return entries, broken
