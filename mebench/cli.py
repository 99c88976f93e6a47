"""The command line: one thin function per verb.

Results go to standard output, progress and errors to standard error. Exit status: 0 done, 1 the data or a model is at
fault, 2 the command line is wrong, 3 finished with failed folds or missing clips. Every fault is two lines: what, and
what to do. Heavy libraries load inside a verb, never before.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mebench.errors import MebenchError, UsageError
from mebench.version import __version__

if TYPE_CHECKING:
    from mebench.render import Table

UNFINISHED = 3
INTERRUPTED = 130  # the shell's own status for Ctrl-C

F = TypeVar("F", bound=Callable[..., Any])


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


def _emit(record: Any) -> None:
    click.echo(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False))


def _draw(table: "Table") -> None:
    from mebench.render import terminal

    width, colour = _screen()
    click.echo(terminal(table, width=width, colour=colour), nl=False)


def _screen() -> tuple[int, bool]:
    """Columns to draw in, and whether colour is wanted: where a person reads, not where a file is written."""
    from shutil import get_terminal_size

    return get_terminal_size((140, 40)).columns, sys.stdout.isatty()


def _home(context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path:
    """The home given to the verb, else to mebench, else the user's data folder."""
    given = value or context.find_root().params.get("home")
    if given:
        return Path(given).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("mebench", appauthor=False)


def _options(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


_folder = click.Path(path_type=Path)
home_option = click.option(
    "--home", type=_folder, callback=_home, envvar="MEBENCH_HOME", help="Where store and runs live [env MEBENCH_HOME]."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
jobs_option = click.option("--jobs", type=click.IntRange(1), help="Worker processes [one per core].")
data_options = _options(
    click.option("--data", "data", multiple=True, metavar="DATASET=DIR", help="Annotations of a corpus; repeatable."),
    click.option(
        "--annotation", multiple=True, metavar="DATASET=VERSION", help="Which release, where several lie there."
    ),
    click.option("--no-corrections", is_flag=True, help="Leave every released value as it is."),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="mebench")
@click.option("--home", type=_folder, envvar="MEBENCH_HOME", help="Where store and runs live [the user data folder].")
def cli(home: Path | None) -> None:
    """A benchmark for facial micro-expression recognition.

    No held-out label reaches the model that is scored on it; what cannot be prevented is counted and printed.
    """
    del home  # read by every verb through `_home`


@cli.command()
@click.option("--fresh", is_flag=True, help="Start over in a new folder.")
@jobs_option
@home_option
def demo(home: Path, jobs: int | None, fresh: bool) -> int:  # noqa: FBT001
    """Synthetic corpora -> models -> leaderboard; needs no licence."""
    from mebench.demo import demonstrate

    width, colour = _screen()
    return demonstrate(home, jobs=_jobs(jobs), fresh=fresh, echo=click.echo, width=width, colour=colour)


@cli.command()
@click.argument("dataset")
@click.option("--data", required=True, type=_folder, help="The corpus folder.")
@click.option("--annotation", help="Which release of the annotation, where several lie there.")
@click.option("--no-corrections", is_flag=True, help="Leave every released value as it is.")
@click.option("--deep", is_flag=True, help="Decode every frame, to find broken ones.")
@json_option
def check(**options: Any) -> int:
    """Layout, annotation version, counts, missing or broken frames of DATASET."""
    from mebench import check as checking
    from mebench.corpora import dataset as reader
    from mebench.progress import bar

    corpus, root = reader(options["dataset"]), options["data"]
    table = corpus.load(root, annotation=options["annotation"], corrections=not options["no_corrections"])
    with bar(f"check {corpus.name}") as progress:
        report = checking.check(corpus, root, table, deep=options["deep"], progress=progress)
    _emit(report.record()) if options["as_json"] else click.echo(report.text())
    return 0 if report.ok else 1


@cli.command()
@click.argument("dataset")
@click.option("--data", required=True, type=_folder, help="The corpus folder.")
@click.option("--annotation", help="Which release of the annotation, where several lie there.")
@click.option("--no-corrections", is_flag=True, help="Leave every released value as it is.")
@click.option("--variant", help="Which copy of the frames, where several lie there.")
@click.option(
    "--on-missing-face",
    type=click.Choice(["error", "exclude", "nearest"]),
    default="error",
    show_default=True,
    help="What to do where no face is found on the onset frame.",
)
@jobs_option
@json_option
@home_option
def prepare(**options: Any) -> int:
    """Find faces, landmarks and head motion in DATASET, and store the face crops."""
    from mebench.corpora import dataset as reader
    from mebench.prepare import prepare as run_prepare
    from mebench.progress import bar

    corpus = reader(options["dataset"])
    with bar(f"prepare {corpus.name}") as progress:
        report = run_prepare(
            corpus,
            options["data"],
            options["home"],
            annotation=options["annotation"],
            corrections=not options["no_corrections"],
            variant=options["variant"],
            jobs=_jobs(options["jobs"]),
            on_missing_face=options["on_missing_face"],
            progress=progress,
        )
    _emit(report.record()) if options["as_json"] else click.echo(report.text())
    return 0 if report.complete else UNFINISHED


@cli.command()
@click.argument("model")
@click.option("--protocol", required=True, help="A protocol, a suite, or a TOML file.")
@click.option("--dataset", "only", multiple=True, help="Only the members of a suite on these corpora; repeatable.")
@data_options
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="How many seeds, from 0.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the model; repeatable.")
@click.option("--shard", metavar="I/N", help="Only every N-th fold, from the I-th; over one shared home.")
@click.option("--allow-partial", is_flag=True, help="Run although clips of the release are missing.")
@click.option("--fresh", is_flag=True, help="Discard what this run has finished and start over.")
@click.option("--estimate", is_flag=True, help="Time one fold and say how long the rest will take.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@jobs_option
@json_option
@home_option
def run(**options: Any) -> int:
    """Train and test MODEL (a name or file.py:Class) on every fold of a protocol; the same command resumes."""
    from mebench.execute import run_request
    from mebench.progress import bar
    from mebench.requests import Request

    request = Request.of(options, command=_command())
    with bar(f"run {options['model']}") as progress:
        report = run_request(request, jobs=_jobs(options["jobs"]), progress=progress)
    _emit(report.record()) if options["as_json"] else click.echo(report.text())
    return 0 if report.complete else UNFINISHED


@cli.command()
@click.argument("file", type=_folder)
@click.option("--protocol", required=True, help="A protocol or a TOML file.")
@data_options
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN", help="Columns of FILE: clip, predicted ...")
@click.option("--class", "classes", multiple=True, metavar="VALUE=CLASS", help="Class values of FILE; repeatable.")
@json_option
def score(**options: Any) -> int:
    """Score someone else's predictions: our CSV, mapped columns, or a MEGC submission log."""
    from mebench.scorecard import score_file

    card = score_file(options)
    _emit(card.record()) if options["as_json"] else _draw(card.table())
    return 0 if card.complete else UNFINISHED


@cli.command()
@click.option("--protocol", help="Only this protocol or suite.")
@click.option("--format", "form", type=click.Choice(["md", "csv", "tex"]), help="Another form than the terminal's.")
@click.option("-o", "--output", type=_folder, help="Write to a file.")
@json_option
@home_option
def leaderboard(**options: Any) -> int:
    """Every run, one table per board."""
    from mebench.standing import leaderboard_text

    form = "json" if options["as_json"] else options["form"]
    width, colour = _screen()
    text = leaderboard_text(options["home"], options["protocol"], form, width=width, colour=colour)
    if options["output"]:
        from mebench.files import write_text_atomic

        write_text_atomic(options["output"], text)
    else:
        click.echo(text, nl=not text.endswith("\n"))
    return 0


@cli.command(name="list")
@click.argument("what", type=click.Choice(["datasets", "protocols", "models", "runs"]))
@json_option
@home_option
def list_(what: str, home: Path, as_json: bool) -> int:  # noqa: FBT001
    """What there is."""
    from mebench.catalogue import listing

    rows = listing(what, home)
    if as_json:
        _emit({"schema": "mebench.list/1", what: rows})
    else:
        for row in rows:
            click.echo("  ".join(str(value) for value in row.values()))
    return 0


@cli.command()
@click.argument("name")
@data_options
@json_option
@home_option
def show(**options: Any) -> int:
    """A protocol, suite, corpus, model or run in words, or as JSON."""
    from mebench.catalogue import show_anything

    shown = show_anything(options)
    _emit(shown.record) if options["as_json"] else click.echo(shown.text)
    return 0


@cli.command()
@click.argument("dataset", type=click.Choice(["casme2", "samm", "smic"]))
@click.argument("out", type=_folder)
@click.option("--tier", type=click.Choice(["smoke"]), default="smoke", show_default=True)
@click.option("--subjects", type=click.IntRange(1), default=8, show_default=True)
@click.option("--clips", type=click.IntRange(1), help="Clips in all [about ten per subject].")
@click.option("--amplitude", type=click.FloatRange(0, 20), default=1.0, show_default=True, help="Motion at apex, px.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@jobs_option
@json_option
def synth(**options: Any) -> int:
    """Write a synthetic corpus in the layout of DATASET, with its ground truth beside it."""
    from mebench.clips import mark_record
    from mebench.progress import bar
    from mebench.synth.corpus import write_corpus

    as_json, jobs = options.pop("as_json"), _jobs(options.pop("jobs"))
    with bar(f"synth {options['dataset']}") as progress:
        given = {key: value for key, value in options.items() if value is not None}
        mark = write_corpus(given.pop("dataset"), given.pop("out"), jobs=jobs, progress=progress, **given)
    if as_json:
        _emit(mark_record(mark))
    else:
        click.echo(f"{mark.clips} clips of {mark.subjects} rendered subjects in {options['out']} (SYNTHETIC).")
    return 0


@cli.command()
@json_option
@home_option
def doctor(home: Path, as_json: bool) -> int:  # noqa: FBT001
    """This installation: versions, landmark model and its licence, home, free space."""
    from mebench.catalogue import diagnosis

    facts = diagnosis(home)
    if as_json:
        _emit({"schema": "mebench.doctor/1", **facts})
    else:
        click.echo("\n".join(f"{key}: {value}" for key, value in facts.items()))
    return 0


def _jobs(given: int | None) -> int:
    return given or len(os.sched_getaffinity(0))


def _command() -> str:
    import shlex

    return shlex.join(["mebench", *sys.argv[1:]])
