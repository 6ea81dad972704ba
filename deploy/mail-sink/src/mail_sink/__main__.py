"""`python -m mail_sink` takes mail until it is told to stop."""

import sys

from pydantic import ValidationError

from mail_sink.main import serve
from mail_sink.settings import Settings


def main() -> None:
    try:
        settings = Settings()  # pyright: ignore[reportCallIssue] the environment has the arguments
    except ValidationError as error:
        lines = [f"mail-sink: {problem['loc'][0]}: {problem['msg']}" for problem in error.errors()]
        sys.stderr.write("\n".join(lines) + "\n")
        sys.exit(2)
    serve(settings)


if __name__ == "__main__":
    main()
