"""Check what a message says, regardless of its wording."""


def mentions(message: str, data: str) -> bool:
    """Return whether a message contains all of the data, which are separated by "|"."""
    return all(datum in message for datum in data.split("|"))
