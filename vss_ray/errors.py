"""What can go wrong because of a user's input. Every message says what, where, got, wanted and the next step."""


class VssError(Exception):
    """Base of all errors that a user can cause."""


class ConfigError(VssError):
    """An operating point or an option that makes no sense."""


class VideoError(VssError):
    """A file that cannot be read as video, or not all of it."""


class StorageError(VssError):
    """A place that cannot be read or written."""


class ModelError(VssError):
    """A network or weights that cannot be loaded, or that do not fit their labels."""


class DataError(VssError):
    """A dataset that is not in the layout its name promises."""


class QueryError(VssError):
    """A search that cannot be understood."""


class RunMismatchError(VssError):
    """OUT belongs to another operating point."""
