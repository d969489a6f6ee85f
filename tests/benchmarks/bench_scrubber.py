"""What it costs to scrub 300 KB of echoed text, in each way that an echo is spelled."""

import time
from urllib.parse import quote

from b24nb.secret import Secret, redact

SIZE = 300_000
ROUNDS = 7
CODE = "s3cr3tc0deabcdef"
URL = f"https://example.bitrix24.com/rest/1/{CODE}/crm.activity.badge.get "
ECHOES = {
    "plain text": "There is no badge with this code. ",
    "address": URL,
    "bare": f"{CODE} ",
    "upper case": URL.upper(),
    "percent-encoded": quote(URL, safe=""),
    "all percent": "".join(f"%{ord(sign):02x}" for sign in URL),
    "HTML references": "".join(f"&#{ord(sign)};" for sign in URL),
    "\\u escapes": "".join(f"\\u{ord(sign):04x}" for sign in URL),
    "beginnings": "/rest/1/",
    "names": "&code=",
}


def main() -> None:
    secrets = (Secret(CODE),)
    for name, echo in ECHOES.items():
        text = (echo * (SIZE // len(echo) + 1))[:SIZE]
        times = []
        for _ in range(ROUNDS):
            started = time.process_time()
            clean = redact(text, secrets)
            times.append((time.process_time() - started) * 1000)
        assert CODE not in clean.lower()
        print(f"{name:16} {min(times):6.1f} ms (target: at most 20)")


if __name__ == "__main__":
    main()
