"""What ends an installation before it is done."""


class Stopped(Exception):
    """A step cannot go on. Steps done before it stay done.

    Args:
        what: a sentence on what happened.
        where: the file, account, address or repository that it is about.
        cure: what to do next.
    """

    def __init__(self, what: str, where: str, cure: str) -> None:
        super().__init__(f"{what} [{where}] {cure}")
        self.what = what
        self.where = where
        self.cure = cure
