"""How Cloud Storage refuses: one problem, said in the words of its JSON API or of its XML API."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from gbearer.emulator.answers import Refusal, encode

REALM = 'Bearer realm="https://accounts.google.com/"'


@dataclass
class Problem(Exception):
    """A refusal; `reason` is the JSON API's word for it, `code` and `title` are the XML API's."""

    status: int
    reason: str
    code: str
    title: str
    message: str
    authenticate: str = field(default="")

    def as_json(self) -> Refusal:
        """The body of the JSON API, with its list of errors."""
        where = {"locationType": "header", "location": "Authorization"} if self.status == 401 else {}
        one = {"message": self.message, "domain": "global", "reason": self.reason, **where}
        body = {"error": {"code": self.status, "message": self.message, "errors": [one]}}
        return Refusal(self.status, encode(body), headers=self._headers())

    def as_xml(self) -> Refusal:
        """The body of the XML API."""
        parts = {"Code": self.code, "Message": self.title, "Details": self.message}
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts.items() if text)
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error>{inner}</Error>"
        return Refusal(self.status, body.encode(), "application/xml", self._headers())

    def _headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": self.authenticate} if self.authenticate else {}


def bad_request(message: str, reason: str = "invalid") -> Problem:
    """What a request gets that is not understood."""
    return Problem(400, reason, "InvalidArgument", "Invalid argument.", message)


def no_bucket() -> Problem:
    """What is said of a bucket that is not there."""
    message = "The specified bucket does not exist."
    return Problem(404, "notFound", "NoSuchBucket", message, message)


def no_object(bucket: str, name: str) -> Problem:
    """What is said of an object that is not there."""
    message = f"No such object: {bucket}/{name}"
    return Problem(404, "notFound", "NoSuchKey", "The specified key does not exist.", message)


def unknown(call: str) -> Problem:
    """What a method gets that the emulator does not have."""
    message = f"The emulator's storage has no {call}."
    return Problem(404, "notFound", "InvalidURI", "Couldn't parse the specified URI.", message)
