"""The command line: the group, its exit statuses, and how every fault is told.

Results go to standard output, progress and errors to standard error. Exit status: 0 done, 1 the data or a model is at
fault, 2 the command line is wrong, 3 finished with failed folds or missing clips. Every fault is two lines: what, and
what to do. The verbs stand in `mebench.verbs`; heavy libraries load inside a verb, never before.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mebench.errors import MebenchError, UsageError
from mebench.verbs import auditing, caching, corpora, evidence, overview, results, running
from mebench.verbs.console import FOLDER
from mebench.version import __version__

INTERRUPTED = 130  # the shell's own status for Ctrl-C


def main() -> None:
    """The console script."""
    sys.exit(status(sys.argv[1:]))


def status(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit status; no exception leaves it."""
    try:
        with cli.make_context(
            "mebench", list(arguments) or ["--help"]
        ) as context:  # not main(): it has words of its own for Ctrl-C
            result = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except MebenchError as fault:
        return _complain(fault.what, fault.fix, fault.exit_status)
    except click.ClickException as fault:
        return _complain(
            fault.format_message(), "See mebench --help, or --help after the verb.", UsageError.exit_status
        )
    except (KeyboardInterrupt, click.Abort):
        return _complain("Interrupted.", "What was finished is kept; the same command goes on from there.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; nothing more to say
        return 0
    except OSError as fault:
        where = f" {fault.filename}" if fault.filename else ""
        return _complain(f"{fault.strerror or fault}{where}.", "Check the path, its permissions and the free space.", 1)
    except Exception as fault:  # the last line of defence: whatever happens, two lines
        if os.environ.get("MEBENCH_DEBUG"):
            raise
        text = f"Internal error: {type(fault).__name__}: {fault}"
        return _complain(text, "This is a bug in mebench. Repeat with MEBENCH_DEBUG=1 and report what it prints.", 1)
    return result if isinstance(result, int) else 0


def _complain(what: str, fix: str, code: int) -> int:
    plain = MebenchError(what, fix)
    click.echo(f"error: {plain.what}\n  fix: {plain.fix}", err=True)
    return code


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="mebench")
@click.option("--home", type=FOLDER, envvar="MEBENCH_HOME", help="Where store and runs live [the user data folder].")
def cli(home: Path | None) -> None:
    """A benchmark for facial micro-expression recognition.

    No held-out label reaches the model that is scored on it; what cannot be prevented is counted and printed.
    """
    del home  # read by every verb through `home_of`


VERBS = (
    *(corpora.check, corpora.forget, corpora.prepare, corpora.synth),
    *(running.demo, running.plan, running.pretrain, running.replicate, running.run),
    *(results.compare, results.explain, results.export, results.leaderboard),
    *(results.paper, results.peeking, results.score),
    *(overview.doctor, overview.list_, overview.preview, overview.show),
    *(auditing.audit, caching.cache),
)
for verb in (evidence.motion, evidence.null, evidence.sensitivity, evidence.units):
    auditing.audit.add_command(verb)
for verb in VERBS:
    cli.add_command(verb)
