"""Texts that a portal may hold and that must stay texts wherever they are shown."""

HOSTILE = (
    "<img src=x onerror=window.pwned=1>",
    '"><svg/onload=window.pwned=1>',
    "' onmouseover='window.pwned=1",
    "</style><script>window.pwned=1</script>",
    "</td></tr></table><b id=x>",
    "{{7*7}}${7*7}<%=1%>",
    *("javascript:window.pwned=1", "<!--", "]]>", "\x00<i>", "\u202e<u>\u2066", "&lt;b&gt;&#60;b&#62;"),
    *("$\\frac{1}{0}$", "\ud7ff\ufffd", "a" * 10_000),
)
