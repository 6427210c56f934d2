"""An error that ends an installation early."""


class Stopped(Exception):
    """A step cannot continue. Completed steps stay done.

    Args:
        what: a sentence on what happened.
        where: the file, account, address or repository concerned.
        cure: what to do next.
    """

    def __init__(self, what: str, where: str, cure: str) -> None:
        super().__init__(f"{what} [{where}] {cure}")
        self.what = what
        self.where = where
        self.cure = cure
