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
    from mebench.audit.findings import AuditReport
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
home_option = click.option("--home", type=_folder, callback=_home, help="Where store and runs live [env MEBENCH_HOME].")
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
@click.option("--preset", metavar="NAME", help="Parameters as a publication used them; mebench show MODEL lists them.")
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
@click.option(
    "--column", "--map", "columns", multiple=True, metavar="FIELD=COLUMN",
    help="Columns of FILE: clip, predicted, truth, dataset, subject ...; #1, #2 where it has no header.",
)  # fmt: skip
@click.option("--class", "classes", multiple=True, metavar="VALUE=CLASS", help="What a value means; repeatable.")
@click.option("--classes", "class_list", metavar="LIST", help="0=A,1=B,..., or all classes in the order of numbers.")
@json_option
def score(**options: Any) -> int:
    """Score someone else's predictions: our CSV, mapped columns, or a MEGC submission log."""
    from mebench.scorecard import score_file

    card = score_file(options)
    if options["as_json"]:
        _emit(card.record())
    else:
        for table in card.tables():
            _draw(table)
    return 0 if card.complete else UNFINISHED


@cli.command()
@click.option("--protocol", help="Only this protocol or suite.")
@click.option(
    "--format", "form", type=click.Choice(["md", "html", "csv", "tex"]), help="Another form than the terminal's."
)
@click.option("-o", "--output", type=_folder, help="Write to a file.")
@click.option("--reference", metavar="MODEL", help="html: what differences are taken to [flow-svm, else constant].")
@click.option("--published", is_flag=True, help="Figures in print too, as a section apart, never ranked.")
@json_option
@home_option
def leaderboard(**options: Any) -> int:
    """Every run, one table per board."""
    from mebench.standing import leaderboard_text, page

    form = "json" if options["as_json"] else options["form"]
    home, protocol, published = options["home"], options["protocol"], options["published"]
    if options["reference"] and form != "html":
        raise UsageError("--reference belongs to the page.", "Add --format html, or use mebench compare.")
    if form == "html":
        text = page(home, protocol, reference=options["reference"], published=published)
    else:
        width, colour = _screen()
        text = leaderboard_text(home, protocol, form, width=width, colour=colour, published=published)
    if options["output"]:
        from mebench.files import write_text_atomic

        write_text_atomic(options["output"], text)
    else:
        click.echo(text, nl=not text.endswith("\n"))
    return 0


@cli.command()
@click.argument("protocol")
@data_options
@click.option("--epochs", default="1,10,100", show_default=True, help="Numbers of epochs to choose the best of.")
@click.option("--guess", type=click.Choice(["uniform", "prior"]), default="prior", show_default=True)
@click.option("--repetitions", type=click.IntRange(2), default=200, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
def peeking(**options: Any) -> int:
    """What guessing scores under PROTOCOL where the best epoch is kept per tested subject."""
    from mebench.peeking import peeking_request

    found = peeking_request(options)
    _emit(found.record()) if options["as_json"] else _draw(found.table())
    return 0


@cli.command()
@click.argument("names", metavar="RUN RUN [RUN]...", nargs=-1, required=True)
@click.option("--reference", metavar="RUN", help="What the others are compared with [the first].")
@click.option(
    "--metric", type=click.Choice(["uf1", "uar", "accuracy", "weighted_f1"]), default="uf1", show_default=True
)
@click.option("--dataset", default="all", show_default=True, help="One corpus of the protocol.")
@click.option("--margin", type=click.FloatRange(0, 1, min_open=True), help="Test equivalence within this difference.")
@click.option(
    "--estimand",
    type=click.Choice(["method", "predictions"]),
    default="method",
    show_default=True,
    help="Of the method with new subjects and seeds, or of these predictions on new subjects.",
)
@json_option
@home_option
def compare(**options: Any) -> int:
    """Runs of one board against the first: paired test, interval, Holm, who comes first, what could have shown."""
    from mebench.comparing import Terms, compare_runs

    terms = Terms(options["dataset"], options["metric"], options["estimand"], options["margin"])
    found = compare_runs(options["home"], options["names"], options["reference"], terms)
    _emit(found.record()) if options["as_json"] else _draw(found.table())
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
@click.option("--amplitude", is_flag=True, help="Of a run: its errors by how much moved, from the stored frames.")
@json_option
@home_option
def show(**options: Any) -> int:
    """A protocol, suite, corpus, model or run in words, or as JSON."""
    from mebench.catalogue import show_anything

    shown = show_anything(options)
    _emit(shown.record) if options["as_json"] else click.echo(shown.text)
    return 0


@cli.command()
@click.argument("run")
@click.option("--clip", metavar="ID", help="What in this clip spoke for its predicted class.")
@click.option("--seed", type=click.IntRange(0), help="Which seed of the run [its lowest].")
@click.option("-o", "--output", type=_folder, help="The folder to write to [explain, beside the run's seeds].")
@data_options
@jobs_option
@json_option
@home_option
def explain(**options: Any) -> int:
    """Which features, and where on the face, the models of RUN lean on: a picture, a CSV and a table."""
    from mebench.explain import Question, explain_clip, explain_run
    from mebench.progress import bar

    question = Question.of(options)
    with bar(f"explain {options['run']}") as progress:
        ask = explain_clip if options["clip"] else explain_run
        explained = ask(question, jobs=_jobs(options["jobs"]), progress=progress)
    files = explained.write(options["output"] or question.folder)
    if options["as_json"]:
        _emit({**explained.record(), "files": [str(path) for path in files]})
    else:
        for table in explained.tables():
            _draw(table)
        click.echo("\n".join(map(str, files)))
    return 0


@cli.command()
@click.argument("run")
@click.option("-o", "--output", required=True, type=_folder, help="The bundle to write, a zip file.")
@json_option
@home_option
def export(run: str, output: Path, home: Path, as_json: bool) -> int:  # noqa: FBT001
    """Write RUN as a bundle for another lab to repeat: no frame, no feature, no label."""
    from mebench.export import export_run
    from mebench.runs import find_run

    made = export_run(find_run(home, run))
    made.bundle.write(output)
    _emit({**made.record(), "file": str(output)}) if as_json else click.echo(made.text(output))
    return 0


@cli.command()
@click.argument("file", type=_folder)
@click.option("--folds", type=click.IntRange(1), default=5, show_default=True, help="How many folds to fit again.")
@click.option("--seed", type=click.IntRange(0), help="Draws the folds [bundle and key draw them].")
@click.option("--lab", metavar="NAME", help="Who signs; kept in the home when first given.")
@click.option("--trust", is_flag=True, help="Run the model's source that the bundle brings, on this machine.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("-o", "--output", type=_folder, help="The record to write [replication-RUN.json, here].")
@click.option("--import", "add", is_flag=True, help="FILE is a lab's record: enter it beside the run of this home.")
@data_options
@jobs_option
@json_option
@home_option
def replicate(**options: Any) -> int:
    """Fit folds of a bundle again on corpora of one's own, and sign what came of it; or --import such a record."""
    from mebench.files import write_text_atomic
    from mebench.replication import add_record, record_text

    if options["add"]:
        found = add_record(options["home"], options["file"])
        _emit(found.record()) if options["as_json"] else click.echo(found.text())
        return 0
    from mebench.progress import bar
    from mebench.replicate import Wish
    from mebench.replicate import replicate as fit_again

    with bar(f"replicate {options['file'].name}") as progress:
        found = fit_again(Wish.of(options), jobs=_jobs(options["jobs"]), progress=progress)
    output = options["output"] or Path(f"replication-{found.run}.json")
    write_text_atomic(output, record_text(found))
    _emit({**found.record(), "file": str(output)}) if options["as_json"] else click.echo(f"{found.text()}\n{output}")
    return 0


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("-o", "--output", required=True, type=_folder, help="The folder to write to.")
@json_option
@home_option
def paper(runs: tuple[str, ...], output: Path, home: Path, as_json: bool) -> int:  # noqa: FBT001
    """Tables, figures, methods, BibTeX and a checklist of finished runs, as LaTeX that compiles."""
    from mebench.manuscript.folder import write_manuscript

    files = write_manuscript(home, runs, output)
    if as_json:
        _emit({"schema": "mebench.paper/1", "files": [str(path) for path in files]})
    else:
        click.echo("\n".join(map(str, files)))
    return 0


@cli.group()
def audit() -> None:
    """Try to catch a model, a corpus or a file of predictions that leaks; exit status 1 where something is caught."""


@audit.command(name="model")
@click.argument("model")
@click.option("--protocol", help="Audit on this protocol's corpora instead of a drawn one.")
@data_options
@click.option("--allow-partial", is_flag=True, help="Although clips of the release are missing.")
@click.option("--preset", metavar="NAME", help="Parameters as a publication used them; mebench show MODEL lists them.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the model; repeatable.")
@click.option("--only", multiple=True, metavar="CHECK", help="Only this check; repeatable.")
@click.option(
    "--folds", type=click.IntRange(2), default=5, show_default=True, help="Folds of a protocol, largest first."
)
@click.option("--permutations", type=click.IntRange(0), default=0, help="Refits for the permutation null [none].")
@click.option("--whole-training", is_flag=True, help="Train networks for all their epochs.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Draws the corpus.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True)
@jobs_option
@json_option
@home_option
def audit_model_verb(**options: Any) -> int:
    """MODEL (a name or file.py:Class), put through what an honest model does not notice."""
    from mebench.audit.model import ModelQuestion, audit_model
    from mebench.progress import bar

    question = ModelQuestion.of({**options, "jobs": _jobs(options["jobs"])})
    with bar(f"audit {options['model']}") as progress:
        report = audit_model(question, progress)
    return _audited(report, as_json=options["as_json"])


@audit.command(name="dataset")
@click.argument("dataset")
@click.option("--data", required=True, type=_folder, help="The corpus folder.")
@click.option("--annotation", help="Which release of the annotation, where several lie there.")
@click.option("--no-corrections", is_flag=True, help="Leave every released value as it is.")
@click.option("--annotation-only", is_flag=True, help="Leave the frames unread.")
@json_option
def audit_dataset_verb(**options: Any) -> int:
    """DATASET against itself: frames that two clips share, people, ranges, labels."""
    from mebench.audit.dataset import DatasetQuestion, audit_dataset
    from mebench.progress import bar

    corrections, frames = not options["no_corrections"], not options["annotation_only"]
    question = DatasetQuestion(options["dataset"], options["data"], options["annotation"], corrections, frames)
    with bar(f"audit {options['dataset']}") as progress:
        report = audit_dataset(question, progress)
    return _audited(report, as_json=options["as_json"])


@audit.command(name="predictions")
@click.argument("file", type=_folder)
@click.option("--protocol", required=True, help="A protocol or a TOML file.")
@data_options
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN", help="Columns of FILE: clip, predicted ...")
@click.option("--class", "classes", multiple=True, metavar="VALUE=CLASS", help="Class values of FILE; repeatable.")
@click.option("--claim", "claims", multiple=True, metavar="METRIC=VALUE", help="A figure printed for FILE: uf1=.713.")
@json_option
def audit_predictions_verb(**options: Any) -> int:
    """FILE of predictions against the protocol, the annotation, arithmetic and chance."""
    from mebench.audit.predictions import audit_file, file_question
    from mebench.progress import bar

    with bar(f"audit {options['file']}") as progress:
        report = audit_file(file_question(options), progress)
    return _audited(report, as_json=options["as_json"])


def _audited(report: "AuditReport", *, as_json: bool) -> int:
    _emit(report.record()) if as_json else _draw(report.table())
    return 0 if report.clean else 1


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
@click.argument("dataset")
@click.option("--subject", metavar="S", help="Only this person, in every modality of the corpus.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@json_option
@home_option
def forget(**options: Any) -> int:
    """Remove everything derived from DATASET, or from one person in it; the corpus' own folder is not touched."""
    from mebench.forget import forget as remove_traces
    from mebench.forget import plan

    wanted = (options["home"], options["dataset"], options["subject"])
    if not options["yes"] and (planned := plan(*wanted)).traces:
        click.echo(planned.text(), err=True)
        if not sys.stdin.isatty():
            raise UsageError("Nobody can be asked whether to remove this.", "Give --yes.")
        if not click.confirm("Remove it?", err=True):
            click.echo("Nothing was removed.", err=True)
            return 0
    forgotten = remove_traces(*wanted)
    _emit(forgotten.record()) if options["as_json"] else click.echo(forgotten.text())
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
