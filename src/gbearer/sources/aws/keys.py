"""What AWS signs with: an access key, its secret, a session token for temporary ones, and where they came from."""

import re

from gbearer.errors import BadCredentials

_PRINTABLE = re.compile(r"[!-~]+")


class Keys:
    """AWS security credentials; nothing prints the secret.

    access_key   begins with AKIA (a user's own) or ASIA (temporary)
    secret       what requests are signed with
    token        the session token of temporary ones, "" for others
    source       where they came from, in words
    """

    __slots__ = ("access_key", "secret", "source", "token")

    def __init__(self, access_key: object, secret: object, token: object, source: str) -> None:
        """BadCredentials naming `source` when one of them is missing or no single word."""
        given = {"access key": access_key, "secret": secret, "session token": token or ""}
        wrong = [
            name
            for name, value in given.items()
            if not isinstance(value, str)
            or not (_PRINTABLE.fullmatch(value) or (name == "session token" and not value))
        ]
        if wrong:
            raise BadCredentials(
                f"{source} gave no usable AWS credentials",
                why=f"the {' and the '.join(wrong)} is missing, or is not one word",
                fix=f"check {source}; `aws sts get-caller-identity` asks the same places",
            )
        self.access_key = str(access_key)
        self.secret = str(secret)
        self.token = str(token or "")
        self.source = source

    def __repr__(self) -> str:
        return f"<AWS keys {self.access_key[:4]}... from {self.source}>"
