"""One thing that an examination found: whether it is well, what it is about, what was seen, what to do."""

OK, BAD, NOTE = "ok", "bad", "note"


class Finding:
    """level is "ok", "bad" or "note"; about is a field or a part; fix is "" where nothing is to be done."""

    __slots__ = ("about", "fix", "level", "text")

    def __init__(self, level: str, about: str, text: str, fix: str = "") -> None:
        self.level = level
        self.about = about
        self.text = text
        self.fix = fix

    def __repr__(self) -> str:
        return f"Finding({self.level!r}, {self.about!r}, {self.text!r})"
