"""Whom a subject token speaks of, as Google will see it: for `whoami`, and for the line that grants a right."""

LONGEST_SUBJECT = 127
"""Bytes that Google allows a mapped google.subject."""


class Identity:
    """What is known of a federated identity before Google has said anything.

    subject   what google.subject is under the mapping that Google proposes for this kind of provider; "" if unknown
    groups    (attribute, value) pairs that the same mapping sets, those that suit an IAM policy best first
    rows      (label, text) pairs that `whoami` prints, in order
    """

    __slots__ = ("groups", "rows", "subject")

    def __init__(
        self,
        subject: str,
        rows: tuple[tuple[str, str], ...] = (),
        groups: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.subject = subject
        self.rows = rows
        self.groups = groups

    @property
    def length(self) -> int:
        """Bytes of the subject; Google takes LONGEST_SUBJECT at most."""
        return len(self.subject.encode("utf-8", "surrogateescape"))
